"""One of the processes that share a port, as it learns from its supervisor what it is."""

import os
import socket
from typing import NamedTuple, Self

import msgspec

_VARIABLE = "FOREBAY_WORKER"


class Worker(NamedTuple):
    number: int
    processes: int
    channel: int
    """File descriptor of its end of the channel to the supervisor."""
    listeners: tuple[int, ...]
    """File descriptors of the sockets that it accepts connections from."""

    @classmethod
    def of_environment(cls) -> Self | None:
        """None where this process was not started by a supervisor."""
        text = os.environ.get(_VARIABLE)
        return None if text is None else cls(*_DECODER.decode(text))

    def environment(self) -> dict[str, str]:
        """What the process is started with; `files` must be inherited."""
        return {**os.environ, _VARIABLE: msgspec.json.encode(self).decode()}

    @property
    def files(self) -> tuple[int, ...]:
        return self.channel, *self.listeners

    def sockets(self) -> list[socket.socket]:
        """Called once; the supervisor has its own copies."""
        return [socket.socket(fileno=each) for each in self.listeners]


_DECODER = msgspec.json.Decoder(Worker)
