"""What a consumer of this version would make of one record, were it appended now."""

from typing import NamedTuple

from broker.log import Record
from broker.record import UnsupportedRecord
from bucket.manifest import Ledger, Recipe
from consumers.segment import open_segment


class Verdict(NamedTuple):
    problem: str
    """Why it cannot be decoded; empty where it can."""
    ledger: Ledger | None = None
    """What would become of its samples, on their own."""

    @property
    def rejected(self) -> int:
        return sum(self.ledger.rejected.values()) if self.ledger else 0


def judge(record: Record, recipe: Recipe, now_ms: int) -> Verdict:
    """Decodes the record as a consumer does; keeps nothing."""
    segment = open_segment("", record.partition, record.offset, recipe, ())
    try:
        segment.append(record._replace(append_time=now_ms))
    except UnsupportedRecord as error:
        return Verdict(str(error))
    if segment.poison:
        return Verdict(segment.poison[0].reason)
    (ledger,) = segment.ledger().values()
    return Verdict("", ledger)
