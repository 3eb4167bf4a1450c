import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from broker.log import NewRecord
from gateway.principal import PRINCIPAL, Grant, Principal
from gateway.settings import TenancySettings
from gateway.tenant import BadTenant, TenantForbidden, TenantReader, check_tenant
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import good


def asking(*pairs: tuple[str, str], grants: tuple[Grant, ...] = ()) -> web.Request:
    request = make_mocked_request("POST", "/api/v1/write", CIMultiDict(pairs))
    if grants:
        request[PRINCIPAL] = Principal(user="alice", grants=grants)
    return request


@pytest.mark.parametrize("tenant", ["a", "team-a", "Team_A.1", "x" * 150, "!-_.*'()", "...", "1"])
def test_ids_that_mimir_takes_are_taken(tenant: str) -> None:
    assert check_tenant(tenant) == tenant


@pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "a\\b", "x" * 151, "é", "a b", "a|b", "a\n", "a\x00", "a:b"])
def test_ids_that_could_not_be_a_path_or_a_label_are_refused(tenant: str) -> None:
    with pytest.raises(BadTenant):
        check_tenant(tenant)


def test_no_header_means_the_default_tenant() -> None:
    assert TenantReader(TenancySettings()).read(asking()) == "default-tenant"


def test_without_a_default_a_header_is_needed() -> None:
    reader = TenantReader(TenancySettings(default_tenant=""))
    with pytest.raises(BadTenant, match="no tenant"):
        reader.read(asking())
    with pytest.raises(BadTenant):
        reader.read(asking(("X-Scope-OrgID", "")))
    assert reader.read(asking(("X-Scope-OrgID", "a"))) == "a"


def test_any_configured_header_names_the_tenant_in_any_case() -> None:
    reader = TenantReader(TenancySettings())
    assert reader.read(asking(("x-scope-orgid", "a"))) == "a"
    assert reader.read(asking(("THANOS-TENANT", "b"))) == "b"
    assert reader.read(asking(("Other", "c"))) == "default-tenant"


def test_headers_that_agree_are_one() -> None:
    assert TenantReader(TenancySettings()).read(asking(("X-Scope-OrgID", "a"), ("THANOS-TENANT", "a"))) == "a"


@pytest.mark.parametrize(
    "pairs",
    [
        (("X-Scope-OrgID", "a"), ("THANOS-TENANT", "b")),
        (("X-Scope-OrgID", "a"), ("X-Scope-OrgID", "b")),
    ],
)
def test_headers_that_disagree_are_refused(pairs: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(BadTenant, match="disagree"):
        TenantReader(TenancySettings()).read(asking(*pairs))


def test_a_bad_id_is_refused_also_after_good_ones() -> None:
    reader = TenantReader(TenancySettings())
    reader.read(asking(("X-Scope-OrgID", "good")))
    for _ in range(2):
        with pytest.raises(BadTenant):
            reader.read(asking(("X-Scope-OrgID", "a/b")))


def test_a_default_that_is_no_tenant_id_is_refused() -> None:
    with pytest.raises(BadTenant):
        TenantReader(TenancySettings(default_tenant="a/b"))


A = ("X-Scope-OrgID", "a")


@pytest.mark.parametrize(
    ("grants", "named", "tenant"),
    [
        ((("a",),), None, "a"),
        ((("a",),), A, "a"),
        ((("b", "a"),), None, "b"),
        ((("b", "a"),), A, "a"),
        ((("*",),), A, "a"),
        ((("*",),), None, "default-tenant"),
        ((("b", "*"),), A, "a"),
        ((("b", "*"),), None, "b"),
        ((("*",), ("a",)), None, "a"),
        ((("b", "a"), ("b",)), None, "b"),
    ],
)
def test_who_is_known_speaks_for_its_own_tenant(
    grants: tuple[Grant, ...], named: tuple[str, str] | None, tenant: str
) -> None:
    assert TenantReader(TenancySettings()).read(asking(*([named] if named else []), grants=grants)) == tenant


@pytest.mark.parametrize(
    ("grants", "named"),
    [
        ((("b",),), A),
        (((),), A),
        (((),), None),
        ((("*",), ("b",)), A),
        ((("a",), ("b",)), A),
        ((("a",), ("b",)), None),
    ],
)
def test_who_is_known_claims_nobody_elses(grants: tuple[Grant, ...], named: tuple[str, str] | None) -> None:
    with pytest.raises(TenantForbidden, match=r"may not speak for the tenant: tenant='.*' user='alice'"):
        TenantReader(TenancySettings()).read(asking(*([named] if named else []), grants=grants))


def test_a_grant_that_is_no_tenant_id_is_refused() -> None:
    with pytest.raises(BadTenant):
        TenantReader(TenancySettings()).read(asking(grants=(("Team A/B",),)))


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
