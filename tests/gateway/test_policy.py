"""Policies: shared where limits are equal, made anew where the log or the overrides change."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gateway.limits import LimitSettings
from gateway.policy import MAX_POLICIES, Policies
from gateway.settings import HaSettings
from gateway.turns import AT_A_TIME

if TYPE_CHECKING:
    from wire.write_request import Router

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


class Handled(dict[str, LimitSettings]):
    """Counts how many are gone through."""

    count = 0

    def values(self) -> Any:
        for each in super().values():
            self.count += 1
            yield each


def test_ten_thousand_tenants_are_replaced_piece_by_piece() -> None:
    """Between any two pauses little is done, so that requests go on; and what is let go is let go so, too."""
    editions = [Handled({f"t{n}": LimitSettings(shard_size=1 + n + k) for n in range(10_000)}) for k in (0, 1)]
    policies = Policies(WIDE, HaSettings(), 4, editions[0])
    kept = [policies.of(f"t{n}", 4).router for n in range(10_000)]
    old = policies._table
    done: list[int] = []
    policies.replace(editions[1], lambda: done.append(editions[1].count - len(old.made) - len(old.routers)))
    assert max(later - earlier for earlier, later in pairwise(done)) <= AT_A_TIME
    assert len(done) == 3 * 10_000 // AT_A_TIME
    assert not old.made
    assert policies.of("t0", 4).router is kept[1]


def test_a_log_that_grows_while_limits_are_replaced_is_routed_by_its_partitions() -> None:
    many = {f"t{n}": NARROW for n in range(2 * AT_A_TIME)}
    policies = Policies(WIDE, HaSettings(), 4, many)
    before = policies.of("t0", 4).router
    grown: list[Router] = []
    policies.replace(dict(many), lambda: grown.append(policies.of("t0", 5).router))
    assert grown
    assert policies._table.partitions == 5
    assert policies.of("t0", 5).router is not before
