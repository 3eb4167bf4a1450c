import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from broker.log import NewRecord
from gateway.settings import TenancySettings
from gateway.tenant import BadTenant, TenantReader, check_tenant
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import good


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize("tenant", ["a", "team-a", "Team_A.1", "x" * 150, "!-_.*'()", "...", "1"])
def test_ids_that_mimir_takes_are_taken(tenant: str) -> None:
    assert check_tenant(tenant) == tenant


@pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "a\\b", "x" * 151, "é", "a b", "a|b", "a\n", "a\x00", "a:b"])
def test_ids_that_could_not_be_a_path_or_a_label_are_refused(tenant: str) -> None:
    with pytest.raises(BadTenant):
        check_tenant(tenant)


def test_no_header_means_the_default_tenant() -> None:
    assert TenantReader(TenancySettings()).read(headers()) == "default-tenant"


def test_without_a_default_a_header_is_needed() -> None:
    reader = TenantReader(TenancySettings(default_tenant=""))
    with pytest.raises(BadTenant, match="no tenant"):
        reader.read(headers())
    with pytest.raises(BadTenant):
        reader.read(headers(("X-Scope-OrgID", "")))
    assert reader.read(headers(("X-Scope-OrgID", "a"))) == "a"


def test_any_configured_header_names_the_tenant_in_any_case() -> None:
    reader = TenantReader(TenancySettings())
    assert reader.read(headers(("x-scope-orgid", "a"))) == "a"
    assert reader.read(headers(("THANOS-TENANT", "b"))) == "b"
    assert reader.read(headers(("Other", "c"))) == "default-tenant"


def test_headers_that_agree_are_one() -> None:
    assert TenantReader(TenancySettings()).read(headers(("X-Scope-OrgID", "a"), ("THANOS-TENANT", "a"))) == "a"


@pytest.mark.parametrize(
    "pairs",
    [
        (("X-Scope-OrgID", "a"), ("THANOS-TENANT", "b")),
        (("X-Scope-OrgID", "a"), ("X-Scope-OrgID", "b")),
    ],
)
def test_headers_that_disagree_are_refused(pairs: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(BadTenant, match="disagree"):
        TenantReader(TenancySettings()).read(headers(*pairs))


def test_a_bad_id_is_refused_also_after_good_ones() -> None:
    reader = TenantReader(TenancySettings())
    reader.read(headers(("X-Scope-OrgID", "good")))
    for _ in range(2):
        with pytest.raises(BadTenant):
            reader.read(headers(("X-Scope-OrgID", "a/b")))


def test_a_default_that_is_no_tenant_id_is_refused() -> None:
    with pytest.raises(BadTenant):
        TenantReader(TenancySettings(default_tenant="a/b"))


async def test_a_bad_tenant_is_400_and_nothing_is_written(gateway: Gateway, log: FakeLog) -> None:
    for tenant in ("..", "a/b", "x" * 151):
        status, text = await gateway.write(good(), X_Scope_OrgID=tenant)
        assert status == 400
        assert "tenant" in text
    assert log.records == []


async def test_the_tenant_is_the_key_of_its_records(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(tenancy=TenancySettings(headers=("Team",), default_tenant="nobody"))
    await gateway.write(good(), Team="a")
    await gateway.write(good(), X_Scope_OrgID="b")

    def key(record: NewRecord) -> bytes:
        return record.key

    assert {key(record) for record in log.records} == {b"a", b"nobody"}
