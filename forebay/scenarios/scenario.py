"""What is tried: a name, what it means, and the events."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forebay.scenarios.event import Busier, Cut, Event, Hot, Lose, LoseKeeper, Roll, Scale, Slow
from forebay.scenarios.size import Size

BEGIN = 60.0
"""Seconds of calm before the first event."""

_TENANT_SHARE, _TENANT_FACTOR = 0.2, 10


@dataclass(frozen=True)
class Scenario:
    name: str
    text: str
    make: Callable[[Size, int], Sequence[Event]]
    """Of a size and a node that was drawn."""

    def events(self, size: Size, chance: random.Random) -> Sequence[Event]:
        """All of them begin at BEGIN."""
        return self.make(size, chance.randrange(size.nodes))


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("rolling-update", "every node is restarted with SIGTERM, one after another", lambda *_: [Roll()]),
        Scenario(
            "scale-up",
            "half as many nodes again are added at once",
            lambda size, _: [Scale(size.nodes + size.nodes // 2)],
        ),
        Scenario(
            "scale-down",
            "a third of the nodes is taken away for good",
            lambda size, _: [Scale(size.nodes - size.nodes // 3)],
        ),
        Scenario(
            "slow-consumer",
            "one node does a hundredth of its work for ten minutes",
            lambda _, node: [Slow(node, 0.01, 600)],
        ),
        Scenario("node-loss", "one node dies with its disk, and is replaced", lambda _, node: [Lose(node)]),
        Scenario(
            "broker-loss",
            "one broker dies with its disk; where there is no broker, a receiver",
            lambda _, node: [LoseKeeper(node)],
        ),
        Scenario(
            "hot-tenant",
            "a tenant with a fifth of the load sends ten times as much for ten minutes, without a limit",
            lambda *_: [Busier(1 + _TENANT_SHARE * (_TENANT_FACTOR - 1), 600)],
        ),
        Scenario(
            "hot-partition",
            "a tenth of all load comes on top for ten minutes, all for one partition, or the receivers of one series",
            lambda *_: [Hot(0.1, 600)],
        ),
        Scenario("network-pause", "one node is cut off for 30 seconds", lambda _, node: [Cut(node, 30)]),
    )
}
