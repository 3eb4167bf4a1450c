"""A remote-write 2.0 request divided by a label: each part has its series, said by its own symbols."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.messages_v2 import Exemplar, Histogram, Metadata, Request, Sample, TimeSeries, UnpackedRequest
from wire.snappy import BodyTooLarge
from wire.tenant_split import Part, TenantSplit

SPLIT = TenantSplit("team")
SYMBOLS = [b"", b"team", b"a", b"b", b"__name__", b"up", b"a/b", b"\xff", b"team", b"help"]
BAD = {b"a/b", b"\xff"}


def split(body: bytes, **more: Any) -> list[Part]:
    return SPLIT.split(body, message=2, **more)


def text(symbols: list[bytes], reference: int) -> bytes | None:
    return symbols[reference] if reference < len(symbols) else None


def spelled(symbols: list[bytes], entry: Any, *, less_tenant: bool = False) -> Any:
    """A series with every reference replaced by what it refers to, None where that is nothing."""
    pairs = [text(symbols, reference) for reference in entry.labels_refs]
    if less_tenant and tenant_of(symbols, entry):
        at = next(i for i in range(0, len(pairs), 2) if pairs[i] == b"team" and pairs[i + 1])
        del pairs[at : at + 2]
    exemplars = [
        ([text(symbols, reference) for reference in each.labels_refs], each.value, each.timestamp)
        for each in entry.exemplars
    ]
    meta = entry.metadata
    about = (meta.type, text(symbols, meta.help_ref), text(symbols, meta.unit_ref), entry.HasField("metadata"))
    samples = [each.SerializeToString() for each in (*entry.samples, *entry.histograms)]
    return pairs, exemplars, about, samples


def tenant_of(symbols: list[bytes], entry: Any) -> bytes:
    texts = [text(symbols, reference) for reference in entry.labels_refs]
    if len(texts) % 2:
        return b""
    found = [value for name, value in zip(texts[::2], texts[1::2], strict=True) if name == b"team" and value]
    return found[0] if len(found) == 1 else b""


def expected(body: bytes) -> dict[str, list[Any]]:
    request = Request.FromString(body)
    found: dict[str, list[Any]] = {}
    for entry in request.timeseries:
        tenant = tenant_of(list(request.symbols), entry)
        key = "invalid_tenant" if tenant in BAD else tenant.decode()
        found.setdefault(key, []).append(spelled(list(request.symbols), entry, less_tenant=True))
    return found


def divided(body: bytes) -> dict[str, list[Any]]:
    found = {}
    for part in split(body):
        request = Request.FromString(bytes(part.body))
        assert request.symbols[0] == b""
        found[part.refused or part.tenant] = [spelled(list(request.symbols), each) for each in request.timeseries]
    return found


references = st.lists(st.integers(0, len(SYMBOLS) - 1), max_size=8)
samples = st.lists(st.builds(Sample, value=st.just(1.0), timestamp=st.integers(-5, 5)), max_size=2)
exemplars = st.lists(st.builds(Exemplar, labels_refs=references, timestamp=st.integers(0, 5)), max_size=2)
histograms = st.lists(st.builds(Histogram, timestamp=st.integers(0, 5)), max_size=2)
symbol = st.integers(0, len(SYMBOLS) + 1)
about = st.none() | st.builds(Metadata, type=st.integers(0, 3), help_ref=symbol, unit_ref=symbol)
entries = st.builds(
    TimeSeries,
    labels_refs=references | st.lists(symbol, max_size=6),
    samples=samples,
    exemplars=exemplars,
    histograms=histograms,
    metadata=about,
)
requests = st.lists(entries, max_size=8).map(lambda each: Request(symbols=SYMBOLS, timeseries=each))


@given(requests)
def test_each_tenant_has_its_series_in_its_own_symbols(request: Any) -> None:
    if request.timeseries:
        assert divided(request.SerializeToString()) == expected(request.SerializeToString())


@given(requests)
def test_references_need_not_be_packed(request: Any) -> None:
    if request.timeseries:
        unpacked = UnpackedRequest.FromString(request.SerializeToString()).SerializeToString()
        assert divided(unpacked) == expected(request.SerializeToString())


@given(requests, st.data())
def test_what_is_cut_short_is_left_to_the_router(request: Any, data: st.DataObject) -> None:
    body = request.SerializeToString()
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    for part in split(cut):
        if bytes(part.body) != cut:
            Request.FromString(bytes(part.body))


def named(tenants: int) -> bytes:
    """A request of a series for each of so many tenants, which share a large symbol."""
    symbols = [b"", b"__name__", b"team", b"x" * 1000, *(f"t{n}".encode() for n in range(tenants))]
    series = [TimeSeries(labels_refs=[1, 3, 2, 4 + n], samples=[Sample(timestamp=1)]) for n in range(tenants)]
    body: bytes = Request(symbols=symbols, timeseries=series).SerializeToString()
    return body


def test_a_part_holds_no_symbol_of_others() -> None:
    parts = split(named(3))
    assert [list(Request.FromString(bytes(part.body)).symbols) for part in parts] == 3 * [
        [b"", b"__name__", b"x" * 1000]
    ]
    assert [part.tenant for part in parts] == ["t0", "t1", "t2"]


def test_symbols_that_are_shared_are_bounded() -> None:
    body = named(500)
    assert len(body) < 30_000
    assert sum(len(bytes(part.body)) for part in split(body)) > 500_000
    with pytest.raises(BodyTooLarge, match="too many tenants and symbols"):
        split(body, max_bytes=100_000)


def test_without_the_label_among_the_symbols_the_body_is_handed_back() -> None:
    body = Request(symbols=[b"", b"a"], timeseries=[TimeSeries(labels_refs=[1, 1])]).SerializeToString()
    (part,) = split(body)
    assert part.body is body


def test_a_first_symbol_that_is_not_empty_is_left_to_the_router() -> None:
    body = Request(symbols=[b"team", b"a"], timeseries=[TimeSeries(labels_refs=[0, 1])]).SerializeToString()
    (part,) = split(body)
    assert part.body is body
