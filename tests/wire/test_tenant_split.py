"""A request divided by a label: what each tenant gets is what protobuf's own runtime would give it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tenant import BadTenant, check_tenant
from tests.wire.messages import Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries, WriteRequest
from wire.tenant_split import Part, TenantSplit

SPLIT = TenantSplit("team")


def series(*pairs: tuple[bytes, bytes], time: int = 1) -> Any:
    labels = [Label(name=name, value=value) for name, value in pairs]
    return TimeSeries(labels=labels, samples=[Sample(value=1.5, timestamp=time)])


def request(*entries: Any, **more: Any) -> bytes:
    encoded: bytes = WriteRequest(timeseries=entries, **more).SerializeToString()
    return encoded


def good(tenant: str) -> bool:
    try:
        check_tenant(tenant)
    except BadTenant:
        return False
    return True


def named(entry: Any) -> str:
    """What a series is given to: "" is the request's own, None nobody."""
    values = [label.value for label in entry.labels if label.name == b"team" and label.value]
    return values[0].decode("utf-8", "replace") if len(values) == 1 else ""


def expected(body: bytes) -> dict[str, bytes]:
    """By tenant, and by reason in brackets."""
    found: dict[str, Any] = {}
    message = WriteRequest.FromString(body)
    for entry in message.timeseries:
        tenant = named(entry)
        kept = [label for label in entry.labels if not (tenant and label.name == b"team" and label.value)]
        copy = TimeSeries()
        copy.CopyFrom(entry)
        del copy.labels[:]
        copy.labels.extend(kept)
        part = found.setdefault(tenant if not tenant or good(tenant) else "[invalid_tenant]", WriteRequest())
        part.timeseries.append(copy)
    if message.metadata:
        found.setdefault("", WriteRequest()).metadata.extend(message.metadata)
    return {tenant: part.SerializeToString(deterministic=True) for tenant, part in found.items()}


def divided(body: bytes) -> dict[str, bytes]:
    parts = SPLIT.split(body)
    found = {f"[{part.refused}]" if part.refused else part.tenant: bytes(part.body) for part in parts}
    assert len(found) == len(parts)
    return {
        tenant: WriteRequest.FromString(part).SerializeToString(deterministic=True) for tenant, part in found.items()
    }


names = st.sampled_from([b"team", b"__name__", b"tea", b"teams", b"", b"job"])
values = st.sampled_from([b"a", b"b", b"..", b"", b"a/b", b"\xff", b"x" * 150, b"x" * 151, b"a" * 3])
label_lists = st.lists(st.builds(Label, name=names, value=values), max_size=5)
samples = st.lists(st.builds(Sample, value=st.just(1.0), timestamp=st.integers(-5, 5)), max_size=3)
exemplars = st.lists(st.builds(Exemplar, labels=label_lists, timestamp=st.integers(0, 5)), max_size=2)
histograms = st.lists(st.builds(Histogram, timestamp=st.integers(0, 5)), max_size=2)
entries = st.builds(TimeSeries, labels=label_lists, samples=samples, exemplars=exemplars, histograms=histograms)
metadata = st.lists(st.builds(MetricMetadata, metric_family_name=names), max_size=2)
bodies = st.builds(WriteRequest, timeseries=st.lists(entries, max_size=8), metadata=metadata).map(
    lambda message: message.SerializeToString()
)


@given(bodies)
def test_each_tenant_has_its_series_without_the_label(body: bytes) -> None:
    if body:
        assert divided(body) == expected(body)


@given(bodies, st.data())
def test_what_is_cut_short_is_left_to_the_router(body: bytes, data: st.DataObject) -> None:
    cut = body[: data.draw(st.integers(0, max(0, len(body) - 1)))]
    for part in SPLIT.split(cut):
        if bytes(part.body) != cut:
            WriteRequest.FromString(bytes(part.body))


def test_a_request_without_the_label_is_handed_back_as_it_came() -> None:
    body = request(series((b"__name__", b"up"), (b"team", b"")), series((b"__name__", b"up"), (b"tea", b"x")))
    (part,) = SPLIT.split(body)
    assert part.tenant == part.refused == ""
    assert part.body is body
    assert SPLIT.split(b"") == [Part("", b"")]


def test_the_label_may_stand_anywhere_and_come_twice_in_vain() -> None:
    behind = (
        series((b"__name__", b"up")).SerializeToString()
        + TimeSeries(labels=[Label(name=b"team", value=b"a")]).SerializeToString()
    )
    body = b"\x0a" + bytes([len(behind)]) + behind
    assert [part.tenant for part in SPLIT.split(body)] == ["a"]
    twice = request(series((b"team", b"a"), (b"team", b"b")), series((b"team", b"c")))
    assert [part.tenant for part in SPLIT.split(twice)] == ["", "c"]
    assert len(WriteRequest.FromString(bytes(SPLIT.split(twice)[0].body)).timeseries[0].labels) == 2


def test_a_thousand_tenants_are_taken_and_the_others_refused() -> None:
    body = request(*(series((b"__name__", b"up"), (b"team", f"t{n % 1003}".encode())) for n in range(3000)))
    parts = SPLIT.split(body)
    assert [part.tenant for part in parts if not part.refused] == [f"t{n}" for n in range(1000)]
    (beyond,) = (part for part in parts if part.refused)
    assert beyond.refused == "too_many_tenants"
    assert len(WriteRequest.FromString(bytes(beyond.body)).timeseries) == 6


@given(st.text("aA0.!-_*'()/ \x7fé@[`{", max_size=4) | st.sampled_from(["x" * 150, "x" * 151]))
def test_tenants_are_judged_as_those_of_headers(tenant: str) -> None:
    if tenant:
        (part,) = SPLIT.split(request(series((b"__name__", b"up"), (b"team", tenant.encode()))))
        assert (part.refused == "") == good(tenant)


def test_a_label_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        TenantSplit("")
