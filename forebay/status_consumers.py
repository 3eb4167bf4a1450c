"""What consumers say of themselves at /api/v1/status."""

from typing import Any

import msgspec

from forebay.ask import get, without_login
from forebay.status_report import ConsumerReport


class HeldPartition(msgspec.Struct, frozen=True):
    """A row of one that a consumer has; rows of others have no position."""

    partition: int
    position: int
    records: int = 0
    samples: int = 0
    series: int = 0
    memory_bytes: int = 0
    sealing: bool = False
    paused: bool = False
    failing: str = ""


class _Status(msgspec.Struct, frozen=True):
    role: str
    version: str
    ready: bool
    objections: tuple[str, ...]
    partitions: tuple[dict[str, Any], ...]
    log_id: str | None = None


_STATUS = msgspec.json.Decoder(_Status)


class Answer(msgspec.Struct, frozen=True):
    report: ConsumerReport
    log_id: str | None = None
    held: tuple[HeldPartition, ...] = ()


def ask(url: str) -> Answer:
    """One request; what goes wrong is in the answer."""
    try:
        status = _STATUS.decode(get(f"{url}/api/v1/status"))
        held = msgspec.convert([row for row in status.partitions if "position" in row], tuple[HeldPartition, ...])
    except (OSError, ValueError) as error:  # msgspec's are ValueErrors, urllib's OSErrors
        return Answer(ConsumerReport(url=without_login(url), problem=f"{type(error).__name__}: {error}"))
    report = ConsumerReport(
        url=without_login(url),
        role=status.role,
        version=status.version,
        ready=status.ready,
        objections=status.objections,
        partitions=tuple(row.partition for row in held),
        records=sum(row.records for row in held),
        samples=sum(row.samples for row in held),
        series=sum(row.series for row in held),
        memory_bytes=sum(row.memory_bytes for row in held),
        sealing=sum(row.sealing for row in held),
        paused=sum(row.paused for row in held),
    )
    return Answer(report, status.log_id, held)
