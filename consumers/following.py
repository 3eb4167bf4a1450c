"""HA pairs: which one of several replicas is stored. A function of the records alone, in append time.

Why so: docs/decisions/0011-ha-pairs.md.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from broker.record import Replica
from bucket.manifest import Followed, HaRecipe


class Following:
    """One segment's choice. Offer each record of a replica in log order: `takes`, then `saw` where it was stored.

    Of each (tenant, cluster), the replica seen first is followed, and another one once that was silent, in append time,
    for longer than `failover_timeout`. A tenant's clusters beyond `max_clusters` are not followed: all of their records
    are taken, so that whoever makes up clusters loses nothing and gains nothing. Without a recipe all are taken, too.
    """

    def __init__(self, recipe: HaRecipe | None, followed: Iterable[Followed]) -> None:
        """`followed` is what the segment before ended with: `at` its last append time."""
        self.before = tuple(followed) if recipe else ()
        self.failovers = 0
        """How often another replica than before was followed."""
        self._timeout = recipe.failover_timeout if recipe else 0
        self._max_clusters = recipe.max_clusters if recipe else 0
        self._tenants: dict[str, dict[str, Followed]] = {}
        for each in self.before:
            self._tenants.setdefault(each.tenant, {})[each.cluster] = each

    def takes(self, tenant: str, replica: Replica, append_time: int) -> bool:
        """Whether the replica's record is to be stored; changes nothing."""
        followed = self._tenants.get(tenant, {}).get(replica.cluster)
        return followed is None or followed.replica == replica.name or self._is_silent(followed, append_time)

    def saw(self, tenant: str, replica: Replica, append_time: int) -> None:
        """A record that `takes` was for is stored."""
        clusters = self._tenants.setdefault(tenant, {})
        before = clusters.get(replica.cluster)
        if before is None and len(clusters) >= self._max_clusters:
            for cluster in [name for name, each in clusters.items() if self._is_silent(each, append_time)]:
                del clusters[cluster]
            if len(clusters) >= self._max_clusters:
                return
        self.failovers += before is not None and before.replica != replica.name
        clusters[replica.cluster] = Followed(tenant, replica.cluster, replica.name, append_time)

    def at(self, append_time: int) -> tuple[Followed, ...]:
        """Who is followed, ascending by (tenant, cluster), without those whose silence lets anybody take over."""
        followed = [each for clusters in self._tenants.values() for each in clusters.values()]
        heard = [each for each in followed if not self._is_silent(each, append_time)]
        return tuple(sorted(heard, key=lambda each: (each.tenant, each.cluster)))

    def _is_silent(self, followed: Followed, append_time: int) -> bool:
        return append_time - followed.seen > self._timeout


def digest(followed: tuple[Followed, ...]) -> str:
    """SHA-256 over the canonical JSON, lower-case hex; empty where nothing is followed."""
    return hashlib.sha256(msgspec.json.encode(followed)).hexdigest() if followed else ""
