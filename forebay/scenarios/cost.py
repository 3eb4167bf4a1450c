"""What a month costs, for a million series, at list prices."""

from typing import NamedTuple

from forebay.scenarios.calibration import GIB
from forebay.scenarios.design import Design

_HOURS = 730
_SECONDS = _HOURS * 3600
_GB = 1e9
_MILLION = 1e6


class Cost(NamedTuple):
    """Dollars a month for a million series."""

    cores: float
    memory: float
    disk: float
    zones: float
    """Traffic between availability zones, where a cloud charges for it."""

    @property
    def whole(self) -> float:
        return sum(self)


def cost_of(design: Design, memory: float) -> Cost:
    """Cores as the load needs them, filled to `busy`; `memory` as at its peak."""
    given = design.given
    millions = design.size.series / _MILLION
    needed = design.cores()
    cores = (needed.front + needed.nodes + needed.brokers) / given.busy
    return Cost(
        cores * given.core_hour * _HOURS / millions,
        memory / GIB * given.gib_hour * _HOURS / millions,
        design.disk_bytes() / _GB * given.disk_month / millions,
        design.base_rate * design.zone_bytes() * _SECONDS / _GB * given.zone_gb / millions,
    )
