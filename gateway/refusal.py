"""The status that answers a request that could not be taken as a whole.

A sender drops what was answered with 4xx and sends again what was answered with 5xx. So 4xx is only for what can never
be right; being full, slow or broken is 503. 429 is for a tenant that sends more than it may, where losing data is what
the limit is for.
"""

from typing import Final, NamedTuple

from forebay.errors import Forbidden, ForebayError, InvalidData, Retryable
from gateway.gate import Gate
from gateway.negotiation import UnsupportedMedia
from gateway.rate import RateLimited
from wire.snappy import BodyTooLarge

_STATUSES: Final[tuple[tuple[type[InvalidData], int], ...]] = (
    (UnsupportedMedia, 415),
    (BodyTooLarge, 413),
    (Forbidden, 403),
    (InvalidData, 400),
)
_RETRY_AFTER: Final = {"Retry-After": "5"}


class Refusal(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]


def refusal_of(error: ForebayError | MemoryError, gate: Gate) -> Refusal:
    """The answer to what went wrong; it is counted where the gate counts it."""
    if isinstance(error, RateLimited):
        return Refusal(429, str(error), {"Retry-After": str(error.retry_after)})
    if isinstance(error, Retryable):
        return Refusal(503, str(error), gate.refused(error))
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return Refusal(status, str(error), {})
    return Refusal(503, "out of memory" if isinstance(error, MemoryError) else "this gateway is stopping", _RETRY_AFTER)
