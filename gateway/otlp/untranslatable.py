"""Why a part of an OTLP request cannot become series."""

from forebay.errors import InvalidData


class Untranslatable(InvalidData):
    """A resource, scope, metric or data point has no Prometheus form; what is beside it is stored."""

    reason = "untranslatable"


class UnsupportedTemporality(Untranslatable):
    """Delta, where that is not allowed, or no temporality at all."""

    reason = "unsupported_temporality"


REASONS = (Untranslatable.reason, UnsupportedTemporality.reason)
