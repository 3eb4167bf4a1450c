"""A bucket of tokens that may go into debt."""

import math


class TokenBucket:
    """Fills by `rate` tokens a second up to `burst`; a sample costs one.

    A request is let in while there is a whole token, and takes all that it needs, into debt if need be: so one larger
    than the burst passes, and what follows waits until it is paid for. Over any time t at most rate * t + burst samples
    pass, and one request besides. Rate and burst are the caller's, so that changed limits hold at once.
    """

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        """Full, however much that is."""
        self._tokens = math.inf
        self._at = now

    def wait(self, rate: float, burst: float, now: float, ahead: float = 0.0) -> float:
        """Seconds of the monotonic clock until a request may come in; 0 where one may now.

        `ahead` tokens will be taken by those who came before: as many as there may be at once do not keep one out.
        """
        self._tokens = min(max(1.0, burst), self._tokens + (now - self._at) * rate)
        self._at = now
        return max(0.0, (1.0 + min(ahead, max(0.0, burst - 1.0)) - self._tokens) / rate)

    def take(self, samples: int) -> None:
        """After `wait` has answered 0."""
        self._tokens -= samples

    def give_back(self, samples: int) -> None:
        """Of samples that could not be stored."""
        self._tokens += samples
