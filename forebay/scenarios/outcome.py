"""What became of one design under one scenario."""

from collections.abc import Sequence
from typing import NamedTuple

from forebay.scenarios.cost import Cost


class Moment(NamedTuple):
    at: float
    failed: float
    """Requests a second."""
    behind: float
    """Seconds: age of the oldest sample that was scraped and that no query finds."""
    memory: float
    nodes: int


class Outcome(NamedTuple):
    scenario: str
    size: str
    series: int
    design: str
    seed: int
    requests: float
    failed_requests: float
    refusing_seconds: float
    """In which more than one in a hundred requests failed."""
    most_behind_seconds: float
    most_lag: float
    """Samples that were acknowledged and that no query finds."""
    fresh_after: float
    """Seconds from the first event until all was fresh for good."""
    took: float
    """Seconds from the first event until the design was done with it: all restarted, added, or gone."""
    copies: float
    memory_bytes: float
    cost: Cost
    offered: float
    acknowledged: float
    waiting: float
    produced: float
    consumed: float
    lag: float
    """Of one reader of everything: with the two before it the proof that no sample is lost. 0 without a log."""
    moments: Sequence[Moment]
