"""A quarantined record of version 2 with its labels in it: what it says must not rely on the end of the log."""

from collections.abc import Callable

import msgspec

from broker.log import LogReader
from broker.quarantine import QuarantinedRecord
from broker.record import VERSION_HEADER, UnsupportedRecord, is_version_2
from consumers.errors import LabelsUnknown
from consumers.written_out import WrittenOut
from forebay.errors import InvalidData
from wire.hashing import tenant_seed
from wire.write_request import Router

_ANY_TIME = 1 << 62


def with_labels(
    record: QuarantinedRecord, open_log: Callable[[], LogReader], looks_back: int
) -> list[QuarantinedRecord]:
    """The same as records of version 1, several where one would be too large; others as they are.

    Opens the log where labels are not in the record itself, and looks for them before its own place there.

    Raises:
        InvalidData: it cannot be decoded, or its labels are not in the log any more.
        LogUnavailable, Fatal: the log cannot be read.
    """
    found = record.record()
    try:
        if found.damaged or not is_version_2(found):
            return [record]
    except UnsupportedRecord:
        return [record]
    written = WrittenOut(looks_back)
    try:
        value = written.value(found)
    except LabelsUnknown:
        log = open_log()
        try:
            if log.log_id != record.log_id:
                raise InvalidData(
                    f"labels of its series are in another log: log_id={record.log_id} log_id_now={log.log_id}",
                    hint="name that log in the settings file, where it is still there",
                ) from None
            written.look_back(log, found)
            value = written.value(found)
        finally:
            log.close()
    headers = tuple((name, b"1" if name == VERSION_HEADER else text) for name, text in record.headers)
    routed = Router(1).route(value, tenant_seed(record.key), -_ANY_TIME, _ANY_TIME)
    return [msgspec.structs.replace(record, value=bytes(piece), headers=headers) for _, piece in routed.records]
