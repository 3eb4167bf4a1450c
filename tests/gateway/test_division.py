"""Requests whose series name their tenants: every part by its own tenant's rules, and one answer."""

import pytest
import snappy

from broker.log import LogUnavailable
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.principal import Principal
from gateway.settings import HaSettings, TenancySettings
from tests.gateway.conftest import MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, body
from tests.wire.messages import WriteRequest
from tests.wire.requests_v2 import as_v2
from wire.hashing import tenant_seed
from wire.write_request import Router

SPLIT = TenancySettings(split_label="team")
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def of(*teams: str, **more: str) -> bytes:
    """A series for each team, none for "", numbered by place."""
    return body(
        *(
            ({"__name__": "up", "n": str(n), **({"team": team} if team else {}), **more}, [(NOW_MS, 1.0)])
            for n, team in enumerate(teams)
        )
    )


def stored(log: FakeLog) -> dict[str, set[tuple[tuple[str, str], ...]]]:
    """Label sets by tenant."""
    found: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for record in log.records:
        for series in WriteRequest.FromString(record.value).timeseries:
            labels = tuple((label.name.decode(), label.value.decode()) for label in series.labels)
            found.setdefault(record.key.decode(), set()).add(labels)
    return found


def labels(number: int) -> tuple[tuple[str, str], ...]:
    return (("__name__", "up"), ("n", str(number)))


@pytest.mark.parametrize("message", [1, 2])
async def test_series_go_to_the_tenant_they_name_without_the_label(
    make_gateway: MakeGateway, log: FakeLog, message: int
) -> None:
    gateway = await make_gateway(tenancy=SPLIT)
    data, headers = of("a", "b", "", "a"), {}
    if message == 2:
        data, headers = snappy.compress(as_v2(snappy.decompress(data))), {"Content_Type": V2}
    assert await gateway.write(data, X_Scope_OrgID="own", **headers) == (204, "")
    assert stored(log) == {"a": {labels(0), labels(3)}, "b": {labels(1)}, "own": {labels(2)}}
    assert gateway.count("forebay_gateway_samples_total", type="float") == 4


async def test_a_series_lies_where_its_tenant_would_have_put_it(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(tenancy=SPLIT)
    await gateway.write(of(*("a" for _ in range(50))))
    plain = snappy.decompress(of(*("" for _ in range(50))))
    alone = Router(4).route(plain, tenant_seed(b"a"), NOW_MS, NOW_MS)
    assert [(record.partition, record.value) for record in log.records] == alone.records


async def test_what_names_no_tenant_id_is_refused_and_the_rest_is_stored(
    make_gateway: MakeGateway, log: FakeLog
) -> None:
    gateway = await make_gateway(tenancy=SPLIT)
    status, text = await gateway.write(of("a", "../b", ".."))
    assert status == 400
    assert "2 of 3 samples refused, 1 stored: invalid_tenant=2" in text
    assert 'invalid_tenant series={team=".."}' in text
    assert stored(log) == {"a": {labels(0)}}
    assert gateway.count("forebay_gateway_rejected_samples_total", reason="invalid_tenant") == 2


async def test_each_part_goes_by_its_own_tenants_limits(log: FakeLog, make_gateway: MakeGateway) -> None:
    policies = Policies(LimitSettings(), HaSettings(), 4, {"narrow": LimitSettings(max_label_pairs=2)})
    gateway = await make_gateway(tenancy=SPLIT, policies=policies)
    status, text = await gateway.write(of("narrow", "wide", job="x"))
    assert (status, text.splitlines()[0]) == (400, "1 of 2 samples refused, 1 stored: too_many_labels=1")
    assert stored(log) == {"wide": {(("__name__", "up"), ("job", "x"), ("n", "1"))}}


async def test_over_one_tenants_rate_the_others_are_stored_and_it_is_429(
    log: FakeLog, make_gateway: MakeGateway
) -> None:
    limits = LimitSettings(samples_per_second=1, samples_burst=1)
    gateway = await make_gateway(tenancy=SPLIT, policies=Policies(LimitSettings(), HaSettings(), 4, {"slow": limits}))
    assert await gateway.write(of("slow", "slow", "fast")) == (204, "")
    log.records.clear()
    status, text = await gateway.write(of("slow", "fast"))
    assert status == 429
    assert "tenant=slow" in text
    assert stored(log) == {"fast": {labels(1)}}


async def test_over_one_tenants_rate_the_headers_count_what_is_written_of_others(make_gateway: MakeGateway) -> None:
    limits = LimitSettings(samples_per_second=1, samples_burst=1)
    gateway = await make_gateway(tenancy=SPLIT, policies=Policies(LimitSettings(), HaSettings(), 4, {"slow": limits}))
    await gateway.write(of("slow", "slow"))
    data = snappy.compress(as_v2(snappy.decompress(of("slow", "fast", "fast"))))
    async with gateway.client.post("/api/v1/write", data=data, headers={"Content-Type": V2}) as answer:
        assert answer.status == 429
        assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "2"


async def test_without_the_log_nothing_is_acknowledged_or_charged(log: FakeLog, make_gateway: MakeGateway) -> None:
    limits = LimitSettings(samples_per_second=1, samples_burst=1)
    gateway = await make_gateway(tenancy=SPLIT, limits=limits)
    log.error = LogUnavailable("no broker")
    assert (await gateway.write(of("a", "b")))[0] == 503
    log.error = None
    assert (await gateway.write(of("a", "b")))[0] == 204


async def test_a_malformed_request_is_400_as_a_whole(log: FakeLog, make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(tenancy=SPLIT)
    status, text = await gateway.write(snappy.compress(snappy.decompress(of("a", "b"))[:-1]))
    assert (status, log.records) == (400, [])
    assert "malformed write request" in text


async def test_a_sender_with_grants_speaks_for_no_others(log: FakeLog, make_gateway: MakeGateway) -> None:
    principal = Principal(user="alice", grants=(("own", "a"),))
    gateway = await make_gateway(tenancy=SPLIT, principal=principal)
    status, text = await gateway.write(of("a", "b", ""))
    assert status == 400
    assert 'tenant_forbidden series={team="b"}' in text
    assert stored(log) == {"a": {labels(0)}, "own": {labels(2)}}
