"""Log lines about rejections, sampled: a sender that is wrong is wrong thousands of times a second."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forebay.clock import Clock
from gateway.reasons import advice

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

EVERY_SECONDS = 60.0
"""One line of each tenant and reason at most in this time."""
LINES = 100
"""Of all tenants together in the same time."""
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Line:
    next_at: float
    unsaid: int = 0


class RejectionLog:
    """For one event loop."""

    def __init__(self, logger: "FilteringBoundLogger", clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._lines: OrderedDict[tuple[str, str, bool], _Line] = OrderedDict()
        self._round_ends = 0.0
        self._left = LINES
        self._unsaid = 0

    def note(self, tenant: str, reason: str, samples: int, *, example: str = "", shadow: bool = False) -> None:
        """Says it now, or counts it into the next line of this tenant and reason. Cheap."""
        now = self._clock.monotonic()
        key = (tenant, reason, shadow)
        line = self._lines.get(key)
        if line is not None and now < line.next_at:
            line.unsaid += samples
            return
        if now >= self._round_ends:
            self._end_round(now)
        unsaid = line.unsaid if line else 0
        if not self._left:
            self._unsaid += samples
            return
        self._left -= 1
        if line is None:
            line = self._lines[key] = _Line(0)
            if len(self._lines) > _REMEMBERED:
                self._lines.popitem(last=False)
        line.next_at, line.unsaid = now + EVERY_SECONDS, 0
        self._lines.move_to_end(key)
        fields = {"tenant": tenant, "reason": reason, "samples": samples, "not_logged_before": unsaid}
        if example:
            fields["example"] = example
        setting, remedy = advice(reason)
        hint = f"limits.{setting}: {remedy}" if setting else remedy
        if shadow:
            self._logger.info("samples would be refused by a limit in shadow mode", **fields, hint=hint)
        else:
            self._logger.warning("samples refused", **fields, hint=hint)

    def _end_round(self, now: float) -> None:
        if self._unsaid:
            self._logger.warning(
                "more samples were refused than are logged",
                samples=self._unsaid,
                hint="see GET /api/v1/tenant/rejections and forebay_gateway_rejected_samples_total",
            )
        self._round_ends, self._left, self._unsaid = now + EVERY_SECONDS, LINES, 0
