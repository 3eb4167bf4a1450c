"""How large a system is."""

import re
from dataclasses import dataclass
from math import ceil

from forebay.scenarios.calibration import Calibration

_SIZE = re.compile(r"(\d+):(\d+)([kM]?)")
_FEWEST, _MOST = 4, 1000
_MOST_SERIES = 100_000_000


@dataclass(frozen=True)
class Size:
    """`nodes` do what the design is about: consumers, receivers, or ingesters."""

    nodes: int
    series: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Reads `100:10M`, nodes and series; raises ValueError."""
        match = _SIZE.fullmatch(text)
        if match is None:
            raise ValueError(f"not nodes and series such as 100:10M (got {text!r})")
        size = cls(int(match[1]), int(match[2]) * {"": 1, "k": 1000, "M": 1_000_000}[match[3]])
        if not _FEWEST <= size.nodes <= _MOST:
            raise ValueError(f"nodes must be from {_FEWEST} to {_MOST} (got {size.nodes})")
        if not 1000 <= size.series <= _MOST_SERIES:
            raise ValueError(f"series must be from 1k to 100M (got {size.series})")
        return size

    def __str__(self) -> str:
        for unit, letter in ((1_000_000, "M"), (1000, "k")):
            if self.series % unit == 0:
                return f"{self.nodes}:{self.series // unit}{letter}"
        return f"{self.nodes}:{self.series}"

    def rate(self, calibration: Calibration) -> float:
        """Samples a second."""
        return self.series / calibration.scrape_seconds

    def senders(self, calibration: Calibration) -> int:
        return ceil(self.series / calibration.sender_series)


SIZES = (Size(6, 3_000_000), Size(60, 30_000_000), Size(1000, 100_000_000))
"""Those that are looked at unless others are named."""
