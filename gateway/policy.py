"""What decides the fate of a tenant's request, put together once and not for every request."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.limits import LimitSettings
from gateway.settings import HaSettings
from wire.hashing import tenant_seed
from wire.write_request import Router

MAX_POLICIES = 20_000
"""Tenants whose policies are kept; a name that any sender can make up must not cost memory for ever."""


class TenantPolicy(NamedTuple):
    """One tenant's rules over the log as it is; never changed, only replaced."""

    tenant: str
    limits: LimitSettings
    router: Router
    seed: int
    name_replicas: bool


class Policies:
    """Every tenant's policy. `of` is for one event loop and its threads; `replace` for the event loop."""

    def __init__(
        self,
        defaults: LimitSettings,
        ha: HaSettings,
        partitions: int,
        overrides: Mapping[str, LimitSettings] | None = None,
    ) -> None:
        self._defaults = defaults
        self._overrides = overrides or {}
        self._ha = ha
        self._partitions = partitions
        self._made: dict[str, TenantPolicy] = {}
        self._routers: dict[LimitSettings, Router] = {}

    def of(self, tenant: str, partitions: int) -> TenantPolicy:
        """The tenant's policy over a log of so many partitions."""
        if partitions != self._partitions:  # it has grown
            self._partitions = partitions
            self._forget()
        policy = self._made.get(tenant)
        return policy if policy is not None else self._make(tenant)

    def replace(self, overrides: Mapping[str, LimitSettings]) -> None:
        """Other limits from the next request on; requests that are being routed keep what they began with."""
        self._overrides = overrides
        self._forget()

    def _forget(self) -> None:
        # New dictionaries: a thread that is making a policy now puts it into the old ones.
        self._made, self._routers = {}, {}

    def _make(self, tenant: str) -> TenantPolicy:
        made, routers = self._made, self._routers
        limits = self._overrides.get(tenant, self._defaults)
        router = routers.get(limits)
        if router is None:
            router = routers[limits] = Router(
                self._partitions,
                max_label_pairs=limits.max_label_pairs,
                cluster_label=self._ha.cluster_label,
                replica_label=self._ha.replica_label,
            )
        policy = TenantPolicy(tenant, limits, router, tenant_seed(tenant.encode()), self._ha.deduplicates(tenant))
        if len(made) >= MAX_POLICIES:
            made.clear()
        made[tenant] = policy
        return policy
