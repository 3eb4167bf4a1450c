"""A member in a process of its own, to be frozen: says what it is told.

`python -m tests.broker.kafka_member BOOTSTRAP TOPIC GROUP PROTOCOL STRATEGY`
"""

import sys
from collections.abc import Sequence

from broker.kafka_group import KafkaSubscription
from tests.broker.kafka_harness import settings_of


class Speaker:
    """A listener that begins each partition at its start. A line is there whole or not at all."""

    def assigned(self, partitions: Sequence[int]) -> dict[int, int]:
        self._say("assigned", partitions)
        return dict.fromkeys(partitions, 0)

    def revoked(self, partitions: Sequence[int]) -> None:
        self._say("revoked", partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self._say("lost", partitions)

    def _say(self, what: str, partitions: Sequence[int]) -> None:
        sys.stdout.write(f"{what} {' '.join(str(partition) for partition in partitions)}\n")
        sys.stdout.flush()


def main(bootstrap: str, topic: str, group: str, protocol: str, strategy: str) -> None:
    settings = settings_of(bootstrap, topic, group_protocol=protocol, assignment_strategy=strategy)
    subscription = KafkaSubscription(settings, group, Speaker())
    while True:
        subscription.poll(0.1, 1 << 20)


if __name__ == "__main__":
    main(*sys.argv[1:])
