"""What decides the fate of a tenant's request, put together once and not for every request."""

import threading
from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gateway.limits import LimitSettings
from gateway.relabel import RelabelRule
from gateway.settings import HaSettings
from gateway.turns import give_way, in_turns
from wire.hashing import shard_of, tenant_seed
from wire.relabel import RelabelMemos, RelabelRules
from wire.series_set import SeriesSet
from wire.write_request import Routed, Router
from wire.written_labels import WrittenLabels

if TYPE_CHECKING:
    from array import array

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")

MAX_POLICIES = 20_000
"""Tenants whose policies are kept; a name that any sender can make up must not cost memory for ever."""


class TenantPolicy(NamedTuple):
    """One tenant's rules over the log as it is; never changed, only replaced."""

    tenant: str
    limits: LimitSettings
    router: Router
    seed: int
    shard: "array[int] | None"
    """The partitions of the tenant; None is all."""
    name_replicas: bool
    outer_age: int
    """Up to which samples are taken where `max_age` only counts, ms: consumers reject what is older."""
    outer_future: int
    """The same of `max_future`."""

    def route(
        self,
        body: bytes | bytearray | memoryview,
        now_ms: int,
        message: int = 1,
        active: SeriesSet | None = None,
        *,
        written: WrittenLabels | None = None,
        log_now: int = 0,
        leave_out: bool = True,
    ) -> Routed:
        """As `Router.route`, by this tenant's rules; a limit that is judged by time is judged at `now_ms`.

        Without `active`, the tenant's active series, any number may be.
        """
        limits = self.limits
        return self.router.route(
            body,
            self.seed,
            now_ms - limits.max_age,
            now_ms + limits.max_future,
            message=message,
            name_replicas=self.name_replicas,
            shard=self.shard,
            outer_min_time=now_ms - self.outer_age,
            outer_max_time=now_ms + self.outer_future,
            active=active,
            written=written,
            log_now=log_now,
            leave_out=leave_out,
        )


class _Table(NamedTuple):
    """What was made for one state of log and overrides; only the last three change, and grow while it is in force."""

    partitions: int
    overrides: Mapping[str, LimitSettings]
    made: dict[str, TenantPolicy]
    routers: dict[LimitSettings, Router]
    rules: dict[tuple[RelabelRule, ...], RelabelRules]


class Policies:
    """Every tenant's policy. Any thread may use it."""

    def __init__(
        self,
        defaults: LimitSettings,
        ha: HaSettings,
        partitions: int,
        overrides: Mapping[str, LimitSettings] | None = None,
        *,
        relabel_memory: int = 64 << 20,
        max_repeated_bytes: int = 32 << 20,
    ) -> None:
        """`max_repeated_bytes` is of the router: what its records may hold beyond the body they are made of."""
        self._defaults = defaults
        self._ha = ha
        self._memos = RelabelMemos(relabel_memory)
        self._max_repeated_bytes = max_repeated_bytes
        self._table = _Table(partitions, overrides or {}, {}, {}, {})
        self._swap = threading.Lock()

    @property
    def tenants(self) -> int:
        """How many have limits of their own."""
        return len(self._table.overrides)

    @property
    def any_shared(self) -> bool:
        """Whether any tenant has a limit that gateways hold together."""
        all_limits = (self._defaults, *self._table.overrides.values())
        return any(each.max_active_series or each.samples_per_second for each in all_limits)

    def of(self, tenant: str, partitions: int) -> TenantPolicy:
        """The tenant's policy over a log of so many partitions."""
        table = self._table
        if partitions != table.partitions:  # it has grown
            with self._swap:
                table = self._table = _Table(partitions, self._table.overrides, {}, {}, self._table.rules)
        policy = table.made.get(tenant)
        return policy if policy is not None else self._make(table, tenant)

    def replace(self, overrides: Mapping[str, LimitSettings], pause: Callable[[], None] = give_way) -> None:
        """Other limits from the next request on, at one moment; requests under way keep what they began with.

        For a thread: `pause` lets the event loop go on, again and again.
        """
        table = self._table
        # Those still in use stay: a router may have learned things that are worth keeping.
        routers: dict[LimitSettings, Router] = {}
        rules: dict[tuple[RelabelRule, ...], RelabelRules] = {}
        for limits in chain([self._defaults], in_turns(overrides.values(), pause)):
            if (router := table.routers.get(limits)) is not None:
                routers[limits] = router
            if limits.relabel and (made := table.rules.get(limits.relabel)) is not None:
                rules[limits.relabel] = made
        with self._swap:
            last = self._table
            fits = last.partitions == table.partitions
            self._table = _Table(last.partitions, overrides, {}, routers if fits else {}, rules)
        _let_go(last.made, pause)
        _let_go(last.routers, pause)

    def _make(self, table: _Table, tenant: str) -> TenantPolicy:
        limits = table.overrides.get(tenant, self._defaults)
        router = table.routers.get(limits)
        if router is None:
            router = table.routers[limits] = Router(
                table.partitions,
                max_label_pairs=limits.max_label_pairs,
                max_label_name_bytes=limits.max_label_name_bytes,
                max_label_value_bytes=limits.max_label_value_bytes,
                max_series_per_request=limits.max_series_per_request,
                max_samples_per_request=limits.max_samples_per_request,
                max_exemplars_per_request=limits.max_exemplars_per_request,
                max_histogram_buckets=limits.max_histogram_buckets,
                shadow=limits.shadow_reasons,
                max_repeated_bytes=self._max_repeated_bytes,
                cluster_label=self._ha.cluster_label,
                replica_label=self._ha.replica_label,
                relabel=self._rules(table, limits.relabel),
            )
        key = tenant.encode()
        shard = shard_of(key, limits.shard_size, table.partitions) if limits.shard_size else None
        policy = TenantPolicy(
            tenant,
            limits,
            router,
            tenant_seed(key),
            shard,
            self._ha.deduplicates(tenant) if limits.ha is None else limits.ha,
            outer_age=self._defaults.max_age,
            outer_future=self._defaults.max_future,
        )
        if len(table.made) >= MAX_POLICIES:
            table.made.clear()
        table.made[tenant] = policy
        return policy

    def _rules(self, table: _Table, relabel: tuple[RelabelRule, ...]) -> RelabelRules | None:
        """Compiled once for all tenants that have the same."""
        if not relabel:
            return None
        rules = table.rules.get(relabel)
        if rules is None:
            rules = table.rules[relabel] = RelabelRules(relabel, self._memos)
        return rules


def _let_go(made: dict[_Key, _Made], pause: Callable[[], None]) -> None:
    """As many objects, ended at once, would hold up everybody. Who still looks something up there makes it anew."""
    for key in in_turns(list(made), pause):
        made.pop(key, None)
