"""Every limit of a tenant, through a gateway: what is refused, what is stored, and what a shadow only counts."""

from typing import Any

import pytest
import snappy

from forebay.units import Duration
from gateway.limits import KERNEL_SHADOWS, SHADOWS, LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from tests.gateway.conftest import MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS
from tests.wire.messages import WriteRequest

HOUR = 3_600_000


def request(label: str = "a", value: str = "1", *, series: int = 1, at: int = NOW_MS) -> Any:
    found = WriteRequest()
    for number in range(series):
        entry = found.timeseries.add()
        for name, text in (("__name__", "m"), (label, value), ("n", str(number))):
            entry.labels.add(name=name.encode(), value=text.encode())
        entry.samples.add(timestamp=at, value=1.0)
    return found


def with_exemplars() -> Any:
    found = request()
    for number in range(3):
        found.timeseries[0].exemplars.add(value=number, timestamp=NOW_MS)
    return found


def with_histogram(buckets: int) -> Any:
    found = request()
    found.timeseries[0].histograms.add(
        timestamp=NOW_MS,
        count_int=buckets,
        sum=1.0,
        positive_spans=[{"offset": 0, "length": buckets}],
        positive_deltas=[1] + [0] * (buckets - 1),
    )
    return found


BEYOND: dict[str, tuple[Any, Any, int]] = {
    "max_age": (Duration(HOUR), request(at=NOW_MS - 2 * HOUR), 1),
    "max_future": (Duration(1000), request(at=NOW_MS + 2000), 1),
    "max_label_pairs": (2, request(), 1),
    "max_label_name_bytes": (8, request("a" * 9), 1),
    "max_label_value_bytes": (8, request(value="x" * 9), 1),
    "max_series_per_request": (2, request(series=5), 3),
    "max_samples_per_request": (2, request(series=5), 3),
    "max_exemplars_per_request": (1, with_exemplars(), 2),
    "max_histogram_buckets": (4, with_histogram(5), 1),
    "max_active_series": (2, request(series=5), 3),
}
"""A limit, a request beyond it, and how much of that is refused."""


def test_every_limit_of_the_router_is_here() -> None:
    assert set(BEYOND) == set(KERNEL_SHADOWS)


@pytest.mark.parametrize("limit", BEYOND)
async def test_a_limit_refuses_and_a_shadow_counts(limit: str, make_gateway: MakeGateway, log: FakeLog) -> None:
    value, beyond, count = BEYOND[limit]
    reason, body = SHADOWS[limit], snappy.compress(beyond.SerializeToString())
    overrides = {
        "strict": LimitSettings(**{limit: value}),
        "shadow": LimitSettings(**{limit: value}, shadow=(limit,)),
    }
    gateway = await make_gateway(policies=Policies(LimitSettings(), HaSettings(), log.partitions, overrides))
    status, text = await gateway.write(body, X_Scope_OrgID="strict")
    assert status == 400
    assert f"{reason}={count}" in text.splitlines()[0]
    assert f"hint: {reason}: limits.{limit}={getattr(overrides['strict'], limit)}; " in text
    assert gateway.count("forebay_gateway_rejected_samples_total", reason=reason) == count
    log.records.clear()
    assert await gateway.write(body, X_Scope_OrgID="shadow") == (204, "")
    stored = WriteRequest()
    for record in log.records:
        stored.MergeFromString(record.value)
    assert len(stored.timeseries) == len(beyond.timeseries)
    assert gateway.count("forebay_gateway_shadow_rejected_samples_total", reason=reason) == count
    assert gateway.count("forebay_gateway_tenant_shadow_rejected_samples_total", tenant="shadow") == count
    (row,) = gateway.rejections.book.report("shadow").reasons
    assert (row.reason, row.samples, row.shadow_samples, row.shadow_requests) == (reason, 0, count, 1)


async def test_a_shadow_of_time_ends_where_consumers_would_reject(make_gateway: MakeGateway, log: FakeLog) -> None:
    """The settings' own bounds hold whatever a tenant's are."""
    policies = Policies(
        LimitSettings(max_age=Duration(2 * HOUR)),
        HaSettings(),
        4,
        {"a": LimitSettings(max_age=Duration(HOUR), shadow=("max_age",))},
    )
    gateway = await make_gateway(policies=policies)
    for age, status in ((HOUR, 204), (2 * HOUR, 204), (2 * HOUR + 1, 400)):
        body = snappy.compress(request(at=NOW_MS - age).SerializeToString())
        assert (await gateway.write(body, X_Scope_OrgID="a"))[0] == status
    (row,) = gateway.rejections.book.report("a").reasons
    assert (row.samples, row.shadow_samples) == (1, 1)


@pytest.mark.parametrize("value", [-1, 1 << 31])
def test_what_is_no_limit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="max_label_value_bytes must be at least 0"):
        LimitSettings(max_label_value_bytes=value)
