"""The work on one OTLP request that needs no event loop: from its body to routed records, a part at a time."""

from collections.abc import Callable
from itertools import starmap

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gateway.otlp.translation import Translation
from wire.write_request import Rejection, Routed


class Export:
    """Any thread may call `next`, one at a time."""

    def __init__(
        self, request: ExportMetricsServiceRequest, translation: Translation, route: Callable[[bytes], Routed]
    ) -> None:
        self._translation = translation
        self._route = route
        self._requests = translation.requests(request)
        self._next: bytes | None = next(self._requests, b"")
        self._refused_samples = 0
        self.reasons: list[str] = []
        """What the sender is told of refusals; whole after the last part."""

    def next(self) -> Routed | None:
        """The next part, to be appended before the one after it is asked for; there is at least one."""
        if self._next is None:
            return None
        body, self._next = self._next, next(self._requests, None)
        routed = self._route(body)
        if routed.rejected:
            self._refused_samples += sum(routed.rejected.values())
            self.reasons += [f"{reason}={count}" for reason, count in sorted(routed.rejected.items())]
            self.reasons += [f"{each.reason} series={each.series}" for each in routed.examples[:3]]
        return routed if self._next is not None else self._with_translation(routed)

    @property
    def refused_points(self) -> int:
        """Data points. A point of several series of which some were refused counts once for each, up to all points."""
        untranslated = sum(self._translation.refused.values())
        return untranslated + min(self._refused_samples, self._translation.points - untranslated)

    def _with_translation(self, routed: Routed) -> Routed:
        """What had no translation is noted with the last part."""
        translation = self._translation
        self.reasons[:0] = translation.messages
        if not translation.refused:
            return routed
        return routed._replace(
            rejected=routed.rejected | translation.refused,
            examples=[*routed.examples, *starmap(_example, translation.examples.items())],
        )


def _example(reason: str, message: str) -> Rejection:
    return Rejection(reason, message[:200], None)
