"""What an operator or a sender can do about each reason; the meaning of each is in docs/remote-write.md."""

from typing import Final, NamedTuple

from gateway.otlp.untranslatable import REASONS as OTLP_REASONS
from wire.tenant_split import SPLIT_REASONS
from wire.write_request import REASONS

RATE_LIMITED = "rate_limited"
"""A whole request, answered with 429."""
REQUEST_TOO_LARGE = "request_too_large"
"""A whole request, answered with 413."""
BODY_TOO_LARGE = "body_too_large"
"""A whole request, answered with 413: it is above what the gateway takes of anybody."""
MALFORMED = "malformed"
"""A whole request, answered with 400: its body is none."""
TENANT_FORBIDDEN = "tenant_forbidden"
"""Series that name a tenant which their sender may not speak for."""
GATEWAY_REASONS = (
    *REASONS,
    *OTLP_REASONS,
    *SPLIT_REASONS,
    TENANT_FORBIDDEN,
    RATE_LIMITED,
    REQUEST_TOO_LARGE,
    BODY_TOO_LARGE,
    MALFORMED,
)
"""Everything that a gateway refuses samples for."""


class Advice(NamedTuple):
    setting: str
    """The limit that decides, a field of LimitSettings; empty where a rule of the protocol does."""
    remedy: str


ADVICE: Final[dict[str, Advice]] = {
    # judged before the ack
    "invalid_symbols": Advice("", "repair the sender's symbol table or its references"),
    "empty_label_name": Advice("", "repair the exporter or the relabelling that makes the label"),
    "invalid_utf8": Advice("", "repair the exporter; binary data often comes from file or process names"),
    "too_many_labels": Advice("max_label_pairs", "drop labels with labeldrop, or raise the limit"),
    "label_name_too_long": Advice("max_label_name_bytes", "rename or drop the label, or raise the limit"),
    "label_value_too_long": Advice("max_label_value_bytes", "shorten or drop the label, or raise the limit"),
    "duplicate_label": Advice("", "repair the sender: no relabelling makes this"),
    "missing_name": Advice("", "keep __name__ in relabelling"),
    "series_too_large": Advice("", "shorten the label value; it usually holds a query, a stack trace or a document"),
    "out_of_bounds_past": Advice("max_age", "send samples sooner, or raise the limit before filling in old data"),
    "out_of_bounds_future": Advice("max_future", "set the clock of the machine that was scraped or of the sender"),
    "invalid_histogram": Advice("", "repair the instrumentation library"),
    "metadata_too_large": Advice("", "shorten the help text of the metric family"),
    "too_many_series": Advice("max_series_per_request", "lower max_samples_per_send of the sender, or raise the limit"),
    "too_many_samples": Advice(
        "max_samples_per_request", "lower max_samples_per_send of the sender, or raise the limit"
    ),
    "too_many_exemplars": Advice("max_exemplars_per_request", "send fewer exemplars, or raise the limit"),
    "too_many_buckets": Advice("max_histogram_buckets", "lower the resolution of the histogram, or raise the limit"),
    "active_series": Advice("max_active_series", "drop series or labels of high cardinality, or raise the limit"),
    RATE_LIMITED: Advice("samples_per_second", "scrape less or less often, or raise the limit and samples_burst"),
    REQUEST_TOO_LARGE: Advice("max_request_bytes", "lower max_samples_per_send of the sender, or raise the limit"),
    # of OTLP alone
    "untranslatable": Advice(
        "", "repair the names of metrics and attributes, or the histogram, that the message names"
    ),
    "unsupported_temporality": Advice("", "send cumulative data, or set otlp.native_delta_ingestion"),
    BODY_TOO_LARGE: Advice("", "lower max_samples_per_send of the sender, or raise gateway.max_body_bytes"),
    MALFORMED: Advice("", "repair the sender, or what changes bodies on their way; the example says what is wrong"),
    "invalid_tenant": Advice("", "repair the label that names the tenant (tenancy.split_label)"),
    "too_many_tenants": Advice("", "send series of at most 1000 tenants in one request"),
    TENANT_FORBIDDEN: Advice("", "let the sender speak for the tenant, or leave the label out"),
    # judged after the ack, by consumers
    "too_many_windows": Advice("max_age", "send old samples in order of time, so that fewer windows are open at once"),
    "duplicate_timestamp": Advice(
        "", "two senders write the same series: give each an external label of its own, or set ha for the tenant"
    ),
}
"""By reason."""


def advice(reason: str) -> Advice:
    """Of a reason that is not known here, such as one of a newer consumer, nothing."""
    return ADVICE.get(reason, _NOTHING)


_NOTHING = Advice("", "")
