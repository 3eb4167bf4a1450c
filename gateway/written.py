"""The headers that tell a sender of remote-write 2.0 how much of its request was written.

Samples are floats alone. What a tenant's own rules have dropped counts as written: its sender did nothing wrong, and
must not report a loss.
"""

from wire.write_request import Routed

_HEADER = "X-Prometheus-Remote-Write-{}-Written"
_KINDS = ("Samples", "Histograms", "Exemplars")

NOTHING_WRITTEN = {_HEADER.format(kind): "0" for kind in _KINDS}


def written_headers(routed: Routed) -> dict[str, str]:
    """Of a request whose good part is durable, whatever was refused of it."""
    counts = (
        routed.samples + routed.dropped - routed.dropped_histograms,
        routed.histograms + routed.dropped_histograms,
        routed.exemplars + routed.dropped_exemplars,
    )
    return {_HEADER.format(kind): str(count) for kind, count in zip(_KINDS, counts, strict=True)}
