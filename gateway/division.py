"""Requests of several tenants: a label says whose each series is, and each tenant's part goes by that tenant's rules.

one body --split--> (tenant, body), ... --each by its own policy--> one Routed with parts --one append--> one answer
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.reasons import TENANT_FORBIDDEN
from wire.tenant_split import Part, TenantSplit
from wire.write_request import Rejection, Routed, Router

MAX_EXAMPLES: Final = 10
_ALWAYS: Final = (-(1 << 63), (1 << 63) - 1)


class Division:
    """Divides requests by a label. Any thread may use it."""

    def __init__(self, label: str, max_bytes: int) -> None:
        """The parts of a request may hold `max_bytes` together."""
        self._label = label
        self._split = TenantSplit(label)
        self._max_bytes = max_bytes
        self._counter = Router(1)

    def route(
        self,
        tenant: str,
        body: bytes | bytearray | memoryview,
        message: int,
        allows: Callable[[str], bool],
        route: Callable[[str, Any], Routed],
    ) -> Routed:
        """Routes each tenant's part by `route`, where `allows` says that the sender may speak for the tenant.

        What names no tenant is `tenant`'s own, and so is what is refused for what it names.

        Raises:
            InvalidData: the body, or a part of it, is malformed.
            BodyTooLarge: the parts hold too much.
        """
        parts = self._split.split(body, message=message, max_bytes=self._max_bytes)
        if len(parts) == 1 and not parts[0].tenant:
            return route(tenant, parts[0].body)
        found = []
        for part in parts:
            reason = part.refused or ("" if not part.tenant or allows(part.tenant) else TENANT_FORBIDDEN)
            if reason:
                found.append((tenant, self._refused(part, reason, message)))
            else:
                found.append((part.tenant or tenant, route(part.tenant or tenant, part.body)))
        return summed([routed for _, routed in found])._replace(parts=tuple(found))

    def _refused(self, part: Part, reason: str, message: int) -> Routed:
        """Nothing of it is stored; each of its samples counts."""
        counted = self._counter.route(part.body, 0, *_ALWAYS, message=message)
        samples = counted.samples + counted.histograms + sum(counted.rejected.values())
        nothing = self._counter.route(b"", 0, *_ALWAYS)
        example = Rejection(reason, f'{{{self._label}="{part.tenant}"}}', None)
        return nothing._replace(rejected={reason: max(1, samples)}, examples=[example])


def summed(routed: Sequence[Routed]) -> Routed:
    """All of them as one, to be answered: not to be appended, but for its parts."""
    fields: dict[str, Any] = {}
    for name, first in routed[0]._asdict().items():
        values = [getattr(each, name) for each in routed]
        if isinstance(first, int):
            fields[name] = sum(values)
        elif isinstance(first, list):
            fields[name] = [item for value in values for item in value]
        elif name != "replicas" and isinstance(first, dict):
            fields[name] = _counts(values)
    return routed[0]._replace(**fields | {"examples": fields["examples"][:MAX_EXAMPLES], "replicas": {}})


def beyond(whole: Routed) -> Routed:
    """What the whole has refused besides its parts: some of a request may be refused before it is divided."""
    inner = _counts([each.rejected for _, each in whole.parts])
    rest = {reason: count - inner.get(reason, 0) for reason, count in whole.rejected.items()}
    rest = {reason: count for reason, count in rest.items() if count}
    examples = [each for each in whole.examples if each.reason in rest]
    return whole._replace(rejected=rest, shadowed={}, examples=examples)


def _counts(values: Sequence[dict[str, int]]) -> dict[str, int]:
    return dict(sum(map(Counter, values), Counter[str]()))
