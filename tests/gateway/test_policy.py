"""Policies: shared where limits are equal, made anew where the log or the overrides change."""

from gateway.limits import LimitSettings
from gateway.policy import MAX_POLICIES, Policies
from gateway.settings import HaSettings

WIDE = LimitSettings()
NARROW = LimitSettings(max_label_pairs=2)


def test_tenants_of_equal_limits_share_a_router() -> None:
    policies = Policies(WIDE, HaSettings(), 4, {"small": NARROW})
    assert policies.of("a", 4).router is policies.of("b", 4).router
    assert policies.of("small", 4).router is not policies.of("a", 4).router
    assert policies.of("small", 4).limits is NARROW
    assert policies.of("a", 4).seed != policies.of("b", 4).seed
    assert policies.of("a", 4) is policies.of("a", 4)


def test_what_changes_is_made_anew() -> None:
    policies = Policies(WIDE, HaSettings(), 4)
    before = policies.of("a", 4)
    assert policies.of("a", 5).router is not before.router
    policies.replace({"a": NARROW})
    assert policies.of("a", 5).limits is NARROW
    policies.replace({})
    assert policies.of("a", 5).limits is WIDE


def test_made_up_names_are_not_kept_for_ever() -> None:
    policies = Policies(WIDE, HaSettings(), 4)
    first = policies.of("0", 4)
    for number in range(MAX_POLICIES + 1):
        policies.of(str(number), 4)
    assert policies.of("0", 4) is not first
    assert policies.of("0", 4).router is first.router


def test_replicas_are_named_for_those_who_ask() -> None:
    policies = Policies(WIDE, HaSettings(tenants=("a",)), 4)
    assert policies.of("a", 4).name_replicas
    assert not policies.of("b", 4).name_replicas
