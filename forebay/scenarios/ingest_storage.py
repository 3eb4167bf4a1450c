"""One ingester for each partition and zone, as in Mimir's ingest storage: who reads what never changes by itself."""

import random

from forebay.scenarios.calibration import Calibration
from forebay.scenarios.design import Cores
from forebay.scenarios.event import Busier, Cut, Event, Hot, Lose, LoseKeeper, Scale, Slow
from forebay.scenarios.front import Front
from forebay.scenarios.log_fed import LogFed
from forebay.scenarios.readers import Readers
from forebay.scenarios.shares import shares_of
from forebay.scenarios.size import Size

_THIRD = 2 / 3


class IngestStorage(LogFed):
    """A node is an ingester: number n is of zone n % 2 and partition n // 2."""

    name = "ingest-storage"

    def __init__(self, size: Size, given: Calibration, chance: random.Random) -> None:
        rate = size.rate(given)
        self._partitions = size.nodes // int(given.zones)
        cores = max(1.0, rate / given.ingester_rate / self._partitions / given.busy)
        self._replay_rate = cores * given.replay_rate
        shares = shares_of(self._partitions, size.series, chance)
        zones = [
            Readers(shares, list(range(self._partitions)), cores * given.ingester_rate) for _ in range(int(given.zones))
        ]
        front = Front(rate, given.distributor_rate, given)
        super().__init__(size, given, chance, front=front, queue=given.ingester_queue, zones=zones)
        self.copies = given.zones
        self._twice = 0.0
        """The share of series that two partitions hold, of which only one is still written to."""

    def _place(self, node: int) -> tuple[Readers, int]:
        return self.zones[node % len(self.zones)], node // len(self.zones)

    def batches(self) -> list[list[int]]:
        """A zone at a time, all of it at once: no rollout can be faster."""
        zones = len(self.zones)
        return [list(range(zone, self._partitions * zones, zones)) for zone in range(zones)]

    def restart(self, node: int, now: float) -> None:
        readers, partition = self._place(node)
        head = self.rate * readers.shares[partition] * self.head_seconds(now)
        readers.unsettle(partition).resumes = now + self.given.pod_restart + head / self._replay_rate

    def recovered(self, node: int) -> bool:
        readers, partition = self._place(node)
        return partition not in readers.behind

    def befall(self, event: Event, now: float) -> None:
        if isinstance(event, Scale):
            self._scale(event.nodes, now)
        elif isinstance(event, LoseKeeper):
            self.lose_broker(now)
        elif isinstance(event, Busier):
            self.get_busier(event, now)
        elif isinstance(event, Hot):
            self.heat(self.chance.randrange(self._partitions), event.share, now + event.seconds)
        elif isinstance(event, Slow):
            readers, partition = self._place(event.node)
            self.slow(readers, partition, event.speed, now + event.seconds)
        elif isinstance(event, Cut):
            readers, partition = self._place(event.node)
            readers.unsettle(partition).resumes = now + event.seconds
        elif isinstance(event, Lose):
            # Its head is gone; the log is read from where it had come, and the other zone has the rest.
            readers, partition = self._place(event.node)
            readers.unsettle(partition).resumes = now + self.given.pod_start

    def _scale(self, nodes: int, now: float) -> None:
        partitions = nodes // len(self.zones)
        moved = abs(partitions - self._partitions) / max(partitions, self._partitions)

        def share(then: float) -> None:
            """Partitions are added, or only read from now on; series move, and are for a while in two heads."""
            shares = shares_of(partitions, self.size.series, self.chance)
            rest = max(0, self._partitions - partitions)
            for readers in self.zones:
                readers.reshare(shares + [0.0] * rest, list(range(partitions + rest)))
            self._twice = moved
            self.at(then + self.given.head_least + self.given.head_range, settle, part=False)
            if rest:
                self.at(then + self.given.partition_inactive, leave)
            else:
                self._partitions = partitions
                self.nodes = nodes

        def settle(_: float) -> None:
            self._twice = 0.0

        def leave(_: float) -> None:
            self._partitions = partitions
            self.nodes = nodes

        wait = self.given.pod_start + self.given.partition_active if partitions > self._partitions else 0.0
        self.at(now + wait, share)

    def memory(self) -> float:
        return self.size.series * (1 + self._twice) * len(self.zones) * self.given.ingester_series

    def cores(self) -> Cores:
        """Measured with one zone and its broker in one figure; the second zone is one more ingester."""
        given = self.given
        followers = given.log_replicas - 1
        more = followers * given.broker_write + (followers + given.zones - 1) * given.broker_read
        ingester = 1 / given.ingester_rate
        front = 1 / given.ingest_storage_rate - ingester - given.broker_write - given.broker_read
        return Cores(
            self.base_rate * front,
            self.base_rate * ingester * given.zones,
            self.base_rate * (given.broker_write + given.broker_read + more),
        )

    def zone_bytes(self) -> float:
        """To the leader, to two followers, and to an ingester of each zone."""
        return self.given.log_sample * (_THIRD + (self.given.log_replicas - 1) + _THIRD * self.given.zones)

    def disk_bytes(self) -> float:
        log = self.given.log_retention * self.given.log_sample * self.given.log_replicas
        heads = (self.given.head_least + self.given.head_range) * self.given.disk_sample * self.given.zones
        return self.base_rate * (log + heads)
