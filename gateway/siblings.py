"""The processes behind one port: whoever is asked answers for all of them."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

Provider = Callable[[str], Awaitable[Any]]
"""Given the asker's argument, what this process has to say: plain values that msgpack can hold."""


class Reply(NamedTuple):
    process: int
    value: Any = None
    problem: str = ""
    """Why there is no value; empty where there is one."""


class Siblings(Protocol):
    """Topics are named once per process; the asker puts the replies together, sums counts, joins lists."""

    @property
    def processes(self) -> int:
        """How many share the port; limits that hold for all of them are divided by it."""
        ...

    def provide(self, topic: str, provider: Provider) -> None:
        """From now on this process answers for `topic`; a later provider takes the place of an earlier one."""
        ...

    async def gather(self, topic: str, argument: str = "") -> list[Reply]:
        """One reply of each process, this one's among them, by number. Waits a bounded time; does not raise.

        An argument of "" and one that was left out are the same.
        """
        ...


class Alone:
    """A process that has its port to itself."""

    processes = 1

    def __init__(self) -> None:
        self._providers: dict[str, Provider] = {}

    def provide(self, topic: str, provider: Provider) -> None:
        self._providers[topic] = provider

    async def gather(self, topic: str, argument: str = "") -> list[Reply]:
        return [await reply(0, self._providers, topic, argument)]


async def reply(process: int, providers: dict[str, Provider], topic: str, argument: str) -> Reply:
    """What this process says; a provider that raises is a problem to tell, not the asker's end."""
    provider = providers.get(topic)
    if provider is None:
        return Reply(process, problem=f"process does not know topic={topic}")
    try:
        return Reply(process, await provider(argument))
    except Exception as error:  # noqa: BLE001 - it goes to whoever asked
        return Reply(process, problem=f"{type(error).__name__}: {error}")
