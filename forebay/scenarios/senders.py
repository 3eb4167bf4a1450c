"""Prometheus servers: shards that send a request each, and again after a back-off where it failed."""

from collections.abc import Callable
from math import ceil, inf

from forebay.scenarios.calibration import Calibration

_HALVINGS = 24


class Senders:
    """All of them together. Quantities are samples, but for `failed_requests`."""

    def __init__(self, count: int, calibration: Calibration) -> None:
        self._count = count
        self._given = calibration
        self._troubled = 0.0
        self.offered = 0.0
        self.acknowledged = 0.0
        self.waiting = 0.0
        self.failed_requests = 0.0
        """Answers of 5xx, and requests that nobody answered; one that is sent again and fails again counts twice."""

    @property
    def calm(self) -> bool:
        return self.waiting < 1

    def shards(self, rate: float) -> float:
        """How many are at work: as many as the rate needs, and after a while of trouble all there may be."""
        given = self._given
        if self._troubled >= given.sender_reshard:
            return self._count * given.sender_shards
        return max(self._count, ceil(1.5 * rate * given.request_seconds / given.request_samples))

    def send(self, rate: float, seconds: float, refused: Callable[[float], float], room: float) -> tuple[float, float]:
        """New samples at `rate` join those that wait. Returns the samples that were sent, and the acknowledged of them.

        `refused` is the share of requests that fails at a rate of samples; `room` how many may wait for an answer,
        where nothing is acknowledged now.
        """
        self.offered += rate * seconds
        self.waiting += rate * seconds
        given = self._given
        shards = self.shards(rate)
        if room < inf:
            sent = min(self.waiting, max(0.0, shards - room) * given.request_samples * seconds / given.sender_backoff)
            acknowledged = 0.0
        else:
            share = self._settled_share(shards, seconds, refused)
            sent = self._tries(shards, seconds, share)
            acknowledged = sent * (1 - share)
        self.waiting = max(0.0, self.waiting - acknowledged)
        self.acknowledged += acknowledged
        self.failed_requests += (sent - acknowledged) / given.request_samples
        troubled = sent > acknowledged or self.waiting >= 1
        self._troubled = self._troubled + seconds if troubled else 0.0
        return sent, acknowledged

    def _tries(self, shards: float, seconds: float, share: float) -> float:
        """Samples that shards send where that share of requests fails: who has failed waits before it sends again."""
        given = self._given
        cycle = share * given.sender_backoff + (1 - share) * given.request_seconds
        return min(self.waiting, shards * given.request_samples * seconds / cycle)

    def _settled_share(self, shards: float, seconds: float, refused: Callable[[float], float]) -> float:
        """More failures make for fewer tries, and fewer tries for fewer failures: where the two meet."""
        low, high = 0.0, 1.0
        if not refused(self._tries(shards, seconds, low) / seconds):
            return low
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if refused(self._tries(shards, seconds, middle) / seconds) > middle:
                low = middle
            else:
                high = middle
        return high
