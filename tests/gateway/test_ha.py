"""HA pairs at the gateway: both replicas' requests become records of the same series, each naming its replica."""

from typing import Literal

import pytest

from broker.log import NewRecord, Record
from broker.record import Replica, replica_of
from gateway.settings import HaSettings
from tests.gateway.conftest import MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, body, good


def replica(record: NewRecord) -> Replica | None:
    return replica_of(Record(record.partition, 0, 0, record.key, record.value, record.headers))


def from_replica(name: str, cluster: str = "eu", label: str = "__replica__") -> bytes:
    series = ({"__name__": "up", label: name, "cluster": cluster, "n": str(n)} for n in range(20))
    return body(*((labels, [(NOW_MS, 1.0)]) for labels in series))


async def test_both_replicas_write_the_same_and_say_who_they_are(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(ha=HaSettings(tenants=("team-a",)))
    for name in "ab":
        assert (await gateway.write(from_replica(name), X_Scope_OrgID="team-a"))[0] == 204
    half = len(log.records) // 2
    one, other = log.records[:half], log.records[half:]
    assert [record[:3] for record in one] == [record[:3] for record in other]
    assert {replica(record) for record in one} == {Replica("eu", "a")}
    assert {replica(record) for record in other} == {Replica("eu", "b")}
    assert not any(b"__replica__" in record.value for record in log.records)


async def test_who_is_not_asked_for_stays_as_it_is(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(ha=HaSettings(tenants=("team-a",)))
    await gateway.write(from_replica("a"), X_Scope_OrgID="team-b")
    await gateway.write(good(), X_Scope_OrgID="team-a")
    assert {replica(record) for record in log.records} == {None}
    assert b"__replica__" in log.records[0].value


async def test_a_star_is_everybody_and_labels_have_other_names(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(ha=HaSettings(tenants="*", cluster_label="n", replica_label="prometheus_replica"))
    await gateway.write(from_replica("a", label="prometheus_replica"))
    assert {replica(record) for record in log.records} == {Replica(str(n), "a") for n in range(20)}


async def test_too_many_replicas_in_one_request_are_counted(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(ha=HaSettings(tenants="*", cluster_label="n"))
    series = ({"__name__": "up", "__replica__": "a", "n": str(n)} for n in range(300))
    status, _ = await gateway.write(body(*((labels, [(NOW_MS, 1.0)]) for labels in series)))
    assert status == 204
    assert gateway.count("forebay_gateway_unnamed_replica_series_total") == 300 - 256
    assert gateway.count("forebay_gateway_samples_total", type="float") == 300


@pytest.mark.parametrize(
    ("tenants", "tenant", "expected"),
    [((), "a", False), (("a", "b"), "b", True), (("a",), "b", False), ("*", "a", True), (("*",), "a", False)],
)
def test_whose_pairs_are_deduplicated(*, tenants: tuple[str, ...] | Literal["*"], tenant: str, expected: bool) -> None:
    assert HaSettings(tenants=tenants).deduplicates(tenant) is expected
