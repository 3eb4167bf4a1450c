"""What both designs with a log share: requests end at the broker, and readers come after it."""

import random
from math import inf

from forebay.scenarios.calibration import Calibration
from forebay.scenarios.design import Design
from forebay.scenarios.event import Busier
from forebay.scenarios.front import Front
from forebay.scenarios.readers import AT_THE_END, Readers
from forebay.scenarios.size import Size


class LogFed(Design):
    """`zones` read each the whole log."""

    def __init__(
        self, size: Size, given: Calibration, chance: random.Random, *, front: Front, queue: float, zones: list[Readers]
    ) -> None:
        super().__init__(size, given, chance)
        self.front = front
        self.zones = zones
        self._queue = queue
        """Bytes that one of the front holds for a log that does not answer."""
        self._elected = 0.0

    def refused(self, _now: float, rate: float) -> float:
        return self.front.refused(rate)

    def room(self, now: float) -> float:
        """Who finds room waits for the new leader; a request touches every partition, so all of them do."""
        if now >= self._elected:
            return inf
        return self.front.cores * self._queue / (self.given.request_samples * self.given.record_sample)

    def take(self, now: float, seconds: float, sent: float, acknowledged: float) -> None:
        self.front.watch(now, sent / seconds)
        for readers in self.zones:
            extra = sum(readers.extra.values())
            by_share = acknowledged * self.rate / (self.rate + extra)
            heat = (acknowledged - by_share) / (extra * seconds) if extra else 0.0
            readers.step(now, seconds, by_share, heat)

    def lose_broker(self, now: float) -> None:
        self._elected = now + self.given.election_seconds
        self.at(self._elected, lambda _: None)

    def get_busier(self, event: Busier, now: float) -> None:
        self.rate = self.base_rate * event.factor

        def over(_: float) -> None:
            self.rate = self.base_rate

        self.at(now + event.seconds, over)

    def heat(self, partition: int, share: float, until: float) -> None:
        """More comes to one partition."""
        for readers in self.zones:
            readers.extra[partition] = share * self.base_rate

        def over(_: float) -> None:
            for readers in self.zones:
                readers.extra.pop(partition)

        self.at(until, over)

    def slow(self, readers: Readers, owner: int, speed: float, until: float) -> None:
        """An owner does that part of what it could."""
        readers.speed[owner] = speed

        def over(_: float) -> None:
            readers.speed.pop(owner, None)

        self.at(until, over)

    def offered(self) -> float:
        """Samples a second, of senders."""
        return self.rate + sum(self.zones[0].extra.values())

    def calm(self) -> bool:
        return not any(readers.behind or readers.speed for readers in self.zones)

    def behind(self, now: float) -> tuple[float, float]:
        """Where one zone has it, a query finds it."""
        first, *others = self.zones
        if not others:
            return max((each.age(now) for each in first.behind.values()), default=0.0), first.lag
        seconds = lag = 0.0
        for partition, each in first.behind.items():
            every = [each, *(readers.behind.get(partition, AT_THE_END) for readers in others)]
            seconds = max(seconds, min(one.age(now) for one in every))
            lag += min(one.lag for one in every)
        return seconds, lag
