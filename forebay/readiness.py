"""Whether this process is able to do its job now, and if not, why."""

from collections.abc import Callable


class Readiness:
    """Named conditions, each asked anew; ready when none has an objection."""

    def __init__(self) -> None:
        self._conditions: dict[str, Callable[[], str]] = {}
        self._draining = False

    def require(self, name: str, objection: Callable[[], str]) -> None:
        """`objection` returns why not, or "" when all is well. It must not block."""
        self._conditions[name] = objection

    def drain(self) -> None:
        """Unready from now on."""
        self._draining = True

    def objections(self) -> list[str]:
        if self._draining:
            return ["process: draining"]
        asked = ((name, objection()) for name, objection in self._conditions.items())
        return [f"{name}: {reason}" for name, reason in asked if reason]
