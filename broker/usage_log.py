"""What gateways tell each other through the log: small messages, in one order for all."""

from collections.abc import Sequence
from typing import Protocol


class UsageLog(Protocol):
    """Used by one thread."""

    def publish(self, messages: Sequence[bytes]) -> None:
        """Told to all, and to the sender too, in this order. Blocks for seconds at most.

        Raises LogUnavailable, Fatal: perhaps not told.
        """
        ...

    def read(self, timeout: float) -> list[bytes]:
        """What has been told since the last call; waits up to `timeout` seconds for a first message.

        Begins with what was told within the time that the log was opened for. Raises LogUnavailable, Fatal.
        """
        ...

    def catch_up(self, timeout: float) -> list[bytes]:
        """As `read`, of all that had been told when it was called, as far as it comes in time."""
        ...

    def close(self) -> None:
        """May be called twice."""
        ...
