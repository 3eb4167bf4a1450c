"""Members of one group, each on a thread of its own, and a ledger that notices what may never happen."""

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Self

from broker.kafka_group import KafkaSubscription
from broker.log import Record, Subscription
from tests.broker.kafka_harness import KafkaHarness

MANY = 1 << 20


class Ledger:
    """Who has which partition, and which records were handed out. Thread-safe.

    `wrong` names every partition that two members had, and every record handed out of turn, twice, or to one who does
    not have its partition.
    """

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.owners: dict[int, str] = {}
        self.values: dict[int, list[bytes]] = {}
        self.wrong: list[str] = []

    def assigned(self, member: str, partitions: Sequence[int]) -> dict[int, int]:
        with self.mutex:
            for partition in partitions:
                owner = self.owners.setdefault(partition, member)
                if owner != member:
                    self.wrong.append(f"partition {partition} of {owner} was given to {member}")
            return {partition: len(self.values.setdefault(partition, [])) for partition in partitions}

    def released(self, member: str, partitions: Sequence[int]) -> None:
        with self.mutex:
            for partition in partitions:
                if self.owners.pop(partition, "nobody") != member:
                    self.wrong.append(f"{member} gave up partition {partition}, which it had not")

    def took(self, member: str, records: Sequence[Record]) -> None:
        with self.mutex:
            for record in records:
                if self.owners.get(record.partition) != member:
                    self.wrong.append(f"{member} was handed {record.partition}/{record.offset}, not having it")
                values = self.values[record.partition]
                if record.offset != len(values):
                    self.wrong.append(f"{member} was handed {record.partition}/{record.offset} for {len(values)}")
                values.append(record.value)

    def shares(self) -> list[int]:
        """How many partitions each member has, ascending; of those who have any."""
        with self.mutex:
            return sorted(Counter(self.owners.values()).values())

    def taken(self) -> int:
        with self.mutex:
            return sum(len(values) for values in self.values.values())


class Member:
    """Polls until it is stopped. Implements Listener."""

    def __init__(self, harness: KafkaHarness, ledger: Ledger, name: str, *, static: bool = False) -> None:
        self.name = name
        self.told: list[tuple[str, tuple[int, ...]]] = []
        self.failure: BaseException | None = None
        self._ledger = ledger
        self.group = harness.group_id("group")
        self._open = partial(KafkaSubscription, harness.settings, listener=self, member=name if static else "")
        self._stop = threading.Event()
        self.idle = threading.Event()
        """While it is set, nothing is polled."""
        self._thread = threading.Thread(target=self._run, name=name)

    @property
    def held(self) -> set[int]:
        """As it was told: the sum of all."""
        held: set[int] = set()
        for what, partitions in list(self.told):
            if what == "assigned":
                assert not held.intersection(partitions)
                held.update(partitions)
            else:
                assert held.issuperset(partitions)
                held.difference_update(partitions)
        return held

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """It has left when this returns."""
        self._stop.set()
        self.idle.clear()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def assigned(self, partitions: Sequence[int]) -> dict[int, int]:
        self.told.append(("assigned", tuple(partitions)))
        return self._ledger.assigned(self.name, partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        self.told.append(("revoked", tuple(partitions)))
        self._ledger.released(self.name, partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self.told.append(("lost", tuple(partitions)))

    def _run(self) -> None:
        subscription: Subscription | None = None
        try:
            subscription = self._open(self.group)
            while not self._stop.is_set():
                if self.idle.wait(0):
                    self._stop.wait(0.05)
                    continue
                self._ledger.took(self.name, subscription.poll(0.1, MANY))
        except BaseException as error:  # noqa: BLE001 - handed to whoever stops it
            self.failure = error
        finally:
            if subscription is not None:
                subscription.close()
