"""Which quarantined records an operator means: by id, or all that filters leave."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from broker.quarantine import NotQuarantined, Quarantine, QuarantinedRecord, RecordId
from forebay.errors import InvalidData
from forebay.quarantine_flags import QuarantineFlags

_LOG_ID_SHOWN = 8
_AT_A_TIME = 16  # records read, and held in memory


class Found(NamedTuple):
    id: RecordId
    record: QuarantinedRecord | None
    """None where the object cannot be read."""
    reason: str
    """Why it is here, or why it cannot be read."""

    @property
    def tenant(self) -> str:
        """As far as its key is text."""
        return self.record.key.decode(errors="replace") if self.record else ""


def shown_id(record_id: RecordId) -> str:
    """`LOG/PARTITION/OFFSET`, the log's id cut short."""
    return f"{_named(record_id.log_id)[:_LOG_ID_SHOWN]}/{record_id.partition}/{record_id.offset}"


def select(quarantine: Quarantine, flags: QuarantineFlags) -> Iterator[Found]:
    """Ascending. Raises NotQuarantined before anything was yielded, and what the quarantine raises."""
    standing = list(quarantine.list())
    wanted = _resolve(flags.ids, standing) if flags.ids else standing
    if flags.partitions is not None:
        wanted = [each for each in wanted if each.partition in flags.partitions]

    def read(record_id: RecordId) -> Found | None:
        try:
            record = quarantine.get(record_id)
        except InvalidData as error:
            return Found(record_id, None, str(error))
        except NotQuarantined:
            return None  # settled by another since it was listed
        return Found(record_id, record, record.reason)

    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="quarantine") as pool:
        for at in range(0, len(wanted), _AT_A_TIME):  # not all at once: records are up to a megabyte
            for found in pool.map(read, wanted[at : at + _AT_A_TIME]):
                if found is not None and _passes(found, flags):
                    yield found


def _passes(found: Found, flags: QuarantineFlags) -> bool:
    if flags.tenant is not None and found.tenant != flags.tenant:
        return False
    return flags.reason is None or flags.reason in found.reason


def _resolve(texts: Sequence[str], standing: list[RecordId]) -> list[RecordId]:
    chosen = {_resolve_one(text, standing) for text in texts}
    return [record_id for record_id in standing if record_id in chosen]


def _resolve_one(text: str, standing: list[RecordId]) -> RecordId:
    """Of the log's id its beginning is enough, or nothing where the rest names one record only."""
    log_id, partition, offset = (["", *text.split("/")] if text.count("/") == 1 else [*text.split("/"), "", ""])[:3]
    if not (partition.isdecimal() and offset.isdecimal()) or text.count("/") > 2:
        raise NotQuarantined(
            f"not the id of a record id={text}", hint="ids are LOG/PARTITION/OFFSET, as forebay quarantine list prints"
        )
    place = (int(partition), int(offset))
    found = [each for each in standing if each[1:] == place and _named(each.log_id).startswith(_named(log_id))]
    if not found:
        raise NotQuarantined(
            f"no such record in the quarantine id={text}", hint="forebay quarantine list shows those that there are"
        )
    if len(found) > 1:
        raise NotQuarantined(
            f"more than one log has such a record id={text}",
            hint=f"write more of the log's id: {', '.join(each.log_id for each in found)}",
        )
    return found[0]


def _named(log_id: str) -> str:
    """A topic's id may begin with a minus sign, which would make it a flag."""
    return log_id.lstrip("-")
