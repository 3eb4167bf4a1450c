"""Partial writes over either protocol: each refusal by its reason, exact counts, and the rest is durable."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.forebay import ForebayServer
from tests.faults.client import now_ms, until
from tests.protocol.entry import V1, V2, Exemplar, Labels, Said, Series, encode_v2, sample
from tests.protocol.kinds import histogram
from tests.protocol.sender import post, send, snappy
from tests.protocol.stored import remote_read
from tests.wire.labels_oracle import text_field
from tests.wire.requests_v2 import Symbols
from wire.write_request import REASONS

HOUR = 3_600_000
NAME = (b"__name__", b"bad")

Written = tuple[int, int, int]


def _floats(*labels: tuple[bytes, bytes], times: tuple[int, ...] = (0, 1)) -> Callable[[int], Series]:
    """Samples at these times from now."""
    return lambda now: Series([*labels], samples=tuple(sample(1, now + at) for at in times))


def _histograms(*said: dict[str, Any]) -> Callable[[int], Series]:
    return lambda now: Series([NAME], histograms=tuple(histogram(each, now + n) for n, each in enumerate(said)))


def _exemplars(*labels: tuple[bytes, bytes]) -> Callable[[int], Series]:
    good = ((b"trace_id", b"a"),)
    return lambda now: Series(
        [NAME], samples=(sample(1, now),), exemplars=(Exemplar(labels, 1, now), Exemplar(good, 1, now))
    )


def _said(said: Said) -> Callable[[int], Series]:
    return lambda now: Series([NAME], samples=(sample(1, now),), said=said)


GOOD = {"count_int": 1, "positive_spans": [{"offset": 0, "length": 1}], "positive_deltas": [1]}
CUSTOM = {**GOOD, "schema": -53}
CASES: dict[str, tuple[Callable[[int], Series], dict[str, int], Written]] = {
    # the bad entry; what is refused of it, by reason; what is written of it
    "no name": (_floats((b"job", b"x")), {"missing_name": 2}, (0, 0, 0)),
    "no labels": (_floats(), {"missing_name": 2}, (0, 0, 0)),
    "empty name of the metric": (_floats((b"__name__", b"")), {"missing_name": 2}, (0, 0, 0)),
    "empty label name": (_floats(NAME, (b"", b"x")), {"empty_label_name": 2}, (0, 0, 0)),
    "one label twice": (_floats(NAME, (b"a", b"1"), (b"a", b"2")), {"duplicate_label": 2}, (0, 0, 0)),
    "name is not UTF-8": (_floats(NAME, (b"\xff", b"x")), {"invalid_utf8": 2}, (0, 0, 0)),
    "value is not UTF-8": (_floats(NAME, (b"a", b"\xed\xa0\x80")), {"invalid_utf8": 2}, (0, 0, 0)),
    "too many labels": (
        _floats(NAME, *((b"l%04d" % n, b"v") for n in range(1024))),
        {"too_many_labels": 2},
        (0, 0, 0),
    ),
    "too large": (_floats(NAME, (b"z", b"x" * 1_000_000)), {"series_too_large": 2}, (0, 0, 0)),
    "too old": (_floats(NAME, times=(-8 * 24 * HOUR, 0, 1)), {"out_of_bounds_past": 1}, (2, 0, 0)),
    "of 1970": (
        lambda now: Series([NAME], samples=(sample(1, 0), sample(1, now))),
        {"out_of_bounds_past": 1},
        (1, 0, 0),
    ),
    "too new": (_floats(NAME, times=(0, HOUR, 2 * HOUR)), {"out_of_bounds_future": 2}, (1, 0, 0)),
    "count that buckets contradict": (_histograms({**GOOD, "count_int": 2}, GOOD), {"invalid_histogram": 1}, (0, 1, 0)),
    "unknown schema": (_histograms({**GOOD, "schema": 9}, GOOD), {"invalid_histogram": 1}, (0, 1, 0)),
    "too few buckets": (_histograms({**GOOD, "positive_deltas": []}, GOOD), {"invalid_histogram": 1}, (0, 1, 0)),
    "bucket below zero": (_histograms({**GOOD, "positive_deltas": [-1]}, GOOD), {"invalid_histogram": 1}, (0, 1, 0)),
    "custom bounds that descend": (
        _histograms({**CUSTOM, "custom_values": [2.0, 1.0]}, {**CUSTOM, "custom_values": [1.0, 2.0]}),
        {"invalid_histogram": 1},
        (0, 1, 0),
    ),
    "integers and floats": (_histograms({**GOOD, "negative_counts": [1.0]}, GOOD), {"invalid_histogram": 1}, (0, 1, 0)),
    "exemplar that is not UTF-8": (_exemplars((b"trace_id", b"\xff")), {"invalid_utf8": 1}, (1, 0, 1)),
    "metadata that is not UTF-8": (_said(Said(b"bad", 1, b"\xff")), {"invalid_utf8": 1}, (1, 0, 0)),
    "metadata too large": (_said(Said(b"bad", 1, b"x" * 1_000_000)), {"metadata_too_large": 1}, (1, 0, 0)),
}


def _good(tenant: str, name: bytes, now: int) -> Series:
    labels: Labels = [(b"__name__", name), (b"tenant", tenant.encode())]
    return Series(labels, samples=(sample(1, now), sample(2, now + 1)))


@pytest.mark.parametrize("protocol", [V1, V2], ids=["1.0", "2.0"])
@pytest.mark.parametrize("case", CASES)
def test_what_is_refused_is_counted_and_the_rest_is_durable(server: ForebayServer, case: str, protocol: str) -> None:
    make, reasons, written = CASES[case]
    now = now_ms() - 1000
    tenant = f"partial-{list(CASES).index(case)}-{'2' if protocol == V2 else '1'}"
    bad = make(now)
    answer = send(
        server.url, protocol, _good(tenant, b"before", now), bad, _good(tenant, b"behind", now), tenant=tenant
    )
    assert answer.status == 400
    refused, stored = sum(reasons.values()), 4 + written[0] + written[1]
    counts = ", ".join(f"{reason}={count}" for reason, count in reasons.items())
    assert answer.text.startswith(f"{refused} of {refused + stored} samples refused, {stored} stored: {counts}\n")
    assert answer.written == ((4 + written[0], *written[1:]) if protocol == V2 else None)
    found = until(lambda: len(read := remote_read(server, tenant)) >= stored and read, "what is good is read")
    assert len(found) == stored
    assert {dict(labels)[b"__name__"] for labels, _ in found} >= {b"before", b"behind"}


def _broken(tenant: str, now: int, entry: bytes) -> bytes:
    """A good series over 2.0, and a TimeSeries made by hand; of symbols 1 to 4 the first are name and value."""
    symbols = Symbols()
    for text in (b"__name__", b"good", b"tenant", tenant.encode()):
        symbols.ref(text)
    return encode_v2(_good(tenant, b"good", now), symbols=symbols) + text_field(5, entry)


@pytest.mark.parametrize(
    ("entry", "refused", "written"),
    [
        (text_field(1, b"\x01"), 2, (2, 0, 0)),
        (text_field(1, b"\x01\x02\x03"), 2, (2, 0, 0)),
        (text_field(1, b"\x01\x63"), 2, (2, 0, 0)),
        (text_field(1, b"\x63\x02\x01\x02"), 2, (2, 0, 0)),
        (text_field(1, b"\x01\x02") + text_field(4, b"\x0a\x01\x01"), 1, (4, 0, 0)),
        (text_field(1, b"\x01\x02") + text_field(4, b"\x0a\x02\x01\x63"), 1, (4, 0, 0)),
        (text_field(1, b"\x01\x02") + text_field(5, b"\x08\x01\x18\x63"), 1, (4, 0, 0)),
        (text_field(1, b"\x01\x02") + text_field(5, b"\x08\x01\x20\x63"), 1, (4, 0, 0)),
    ],
    ids=["name alone", "odd", "no such value", "no such name", "odd exemplar", "exemplar", "help", "unit"],
)
def test_references_to_nothing_are_refused_with_what_holds_them(
    server: ForebayServer, entry: bytes, refused: int, written: Written
) -> None:
    now = now_ms() - 1000
    samples = text_field(2, sample(1, now + 10)) + text_field(2, sample(1, now + 11))
    headers = {"Content-Type": V2, "Content-Encoding": "snappy"}
    answer = post(server.url, snappy(_broken("symbols", now, entry + samples)), headers, "symbols")
    assert (answer.status, answer.written) == (400, written)
    assert f"invalid_symbols={refused}\n" in answer.text


def test_every_reason_of_the_kernel_has_a_case() -> None:
    covered = {reason for _, reasons, _ in CASES.values() for reason in reasons} | {"invalid_symbols"}
    by_setting = {
        "label_name_too_long",
        "label_value_too_long",
        "too_many_series",
        "too_many_samples",
        "too_many_exemplars",
        "too_many_buckets",
        "active_series",
    }
    assert covered == set(REASONS) - by_setting
