"""Every kind of data that remote write knows, as series of one tenant."""

from typing import Any

from tests.protocol.entry import V2, Exemplar, Labels, Said, Series, sample
from tests.wire.messages import Histogram

FLOATS = {
    "one and a half": 0x3FF8000000000000,
    "zero": 0,
    "minus zero": 1 << 63,
    "infinity": 0x7FF0000000000000,
    "minus infinity": 0xFFF0000000000000,
    "ordinary NaN": 0x7FF8000000000001,
    "stale marker": 0x7FF0000000000002,
    "signalling NaN": 0x7FF4000000000007,
    "NaN with a sign and a payload": 0xFFF8DEAD00000001,
    "smallest": 1,
    "largest": 0x7FEFFFFFFFFFFFFF,
}
_SPANS = [{"offset": -2, "length": 2}, {"offset": 3, "length": 1}]
_INTS: dict[str, Any] = {
    "count_int": 12,
    "sum": -5.5,
    "schema": 3,
    "zero_threshold": 0.001,
    "zero_count_int": 1,
    "positive_spans": _SPANS,
    "positive_deltas": [2, 1, -2],
    "negative_spans": [{"offset": 0, "length": 2}],
    "negative_deltas": [4, -3],
}
_FLOATS: dict[str, Any] = {
    "count_float": 7.5,
    "sum": 1e300,
    "schema": -4,
    "zero_threshold": 0.5,
    "zero_count_float": 0.25,
    "positive_spans": _SPANS,
    "positive_counts": [2.5, 0.0, 4.75],
}
_CUSTOM: dict[str, Any] = {"schema": -53, "sum": 3.0, "custom_values": [0.5, 1.0, 2.5]}
HISTOGRAMS: dict[str, dict[str, Any]] = {
    "integers": _INTS,
    "floats": _FLOATS,
    "gauge of integers": {**_INTS, "reset_hint": 3},
    "gauge of floats": {**_FLOATS, "reset_hint": 3},
    "reset": {**_INTS, "reset_hint": 1},
    "finest schema": {**_INTS, "schema": 8},
    "empty": {"count_int": 0},
    "empty of floats": {"count_float": 0.0},
    "custom buckets": {
        **_CUSTOM,
        "count_int": 4,
        "positive_spans": [{"offset": 0, "length": 2}, {"offset": 1, "length": 1}],
        "positive_deltas": [1, 1, -1],
    },
    "custom buckets of floats": {
        **_CUSTOM,
        "count_float": 2.5,
        "positive_spans": [{"offset": 3, "length": 1}],
        "positive_counts": [2.5],
    },
}


def histogram(said: dict[str, Any], at: int, start: int = 0) -> bytes:
    data: bytes = Histogram(**said, timestamp=at, start_timestamp=start).SerializeToString()
    return data


def stale_histogram(at: int) -> bytes:
    """As Prometheus sends one: nothing but the sum, which is the stale marker."""
    return histogram({"count_int": 0}, at) + b"\x19" + FLOATS["stale marker"].to_bytes(8, "little")


def all_kinds(tenant: str, protocol: str, now: int) -> dict[str, Series]:
    """By what it is. Times are within the last minutes, ascending; each series is named after its kind."""

    def labels(kind: str) -> Labels:
        return [(b"__name__", b"kind"), (b"of", kind.encode()), (b"tenant", tenant.encode())]

    found: dict[str, Series] = {}
    for name, bits in FLOATS.items():
        found[name] = Series(labels(name), samples=(sample(bits, now),))
    found["all floats"] = Series(
        labels("all floats"), samples=tuple(sample(bits, now + n) for n, bits in enumerate(FLOATS.values()))
    )
    for name, said in HISTOGRAMS.items():
        found[f"histogram: {name}"] = Series(labels(f"histogram: {name}"), histograms=(histogram(said, now),))
    found["stale histogram"] = Series(
        labels("stale histogram"), histograms=(histogram(_INTS, now), stale_histogram(now + 1))
    )
    found["floats and histograms"] = Series(
        labels("floats and histograms"), samples=(sample(0, now),), histograms=(histogram(_INTS, now + 1),)
    )
    exemplars = (Exemplar(((b"trace_id", b"a"), (b"user", "é".encode())), 1 << 63, now), Exemplar((), 0, now + 1))
    found["exemplars"] = Series(labels("exemplars"), samples=(sample(1, now),), exemplars=exemplars)
    found["exemplars alone"] = Series(labels("exemplars alone"), exemplars=exemplars)
    found["metadata"] = Series(
        labels("metadata"), samples=(sample(1, now),), said=Said(b"kind", 2, "how it is: é".encode(), b"s")
    )
    found["UTF-8 names"] = Series(
        sorted([*labels("UTF-8 names"), ("größe.ä".encode(), "☃".encode())]), (sample(1, now),)
    )
    if protocol == V2:
        start = now - 60_000
        found["start timestamp"] = Series(labels("start timestamp"), samples=(sample(7, now, start),))
        found["start timestamp of a histogram"] = Series(
            labels("start timestamp of a histogram"), histograms=(histogram(_INTS, now, start),)
        )
    return found
