"""What befalls a system. Nodes are numbers; who has no node of that number is spared."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Roll:
    """Every node is restarted, as fast as the design lets it."""


@dataclass(frozen=True)
class Scale:
    nodes: int


@dataclass(frozen=True)
class Lose:
    """A node is gone for good, its disk with it; another is started in its place."""

    node: int


@dataclass(frozen=True)
class LoseKeeper:
    """Gone for good is one of those that keep what was acknowledged: a broker, or a receiver where there is none."""

    node: int


@dataclass(frozen=True)
class Slow:
    """A node does `speed` of what it could."""

    node: int
    speed: float
    seconds: float


@dataclass(frozen=True)
class Cut:
    """A node runs on, and nobody reaches it, nor it anybody."""

    node: int
    seconds: float


@dataclass(frozen=True)
class Busier:
    """All of the load is multiplied, spread as it was."""

    factor: float
    seconds: float


@dataclass(frozen=True)
class Hot:
    """`share` of all load comes on top, and all of it goes to one place."""

    share: float
    seconds: float


Event = Roll | Scale | Lose | LoseKeeper | Slow | Cut | Busier | Hot
