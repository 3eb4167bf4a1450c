"""`forebay quarantine show`: one record, as it lies there, and what the decoder of this version says of it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from broker.quarantine import QuarantinedRecord
from bucket.bucket import Bucket
from consumers.quarantine import BucketQuarantine
from consumers.verdict import Verdict, judge
from forebay.clock import SystemClock
from forebay.columns import printable
from forebay.exit_codes import FAILED, OK
from forebay.flags import Flags
from forebay.parts import settings_recipe
from forebay.quarantine_selection import select, shown_id
from forebay.settings import Settings
from forebay.units import rfc3339

_HEAD_BYTES = 256
_LINE_BYTES = 16


def show(flags: Flags, settings: Settings, bucket: Bucket) -> int:
    """Prints it; with --raw, writes its value and prints nothing else."""
    asked = flags.quarantine
    (found,) = select(BucketQuarantine(bucket), asked)
    record = found.record
    if record is None:
        sys.stderr.write(f"forebay: {found.reason}\n")
        return FAILED
    if asked.raw is not None:
        return _write_raw(record.value, asked.raw)
    verdict = judge(record.record(), settings_recipe(settings), SystemClock().now_ms())
    fields = _fields(record) | {"now": tell(verdict)}
    if flags.json:
        document = fields | msgspec.to_builtins({"headers": record.headers, "value": record.value})
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")
        return OK
    for name, value in fields.items():
        sys.stdout.write(f"{name:<12} {printable(value)}\n")
    for line in hexdump(record.value):
        sys.stdout.write(f"{line}\n")
    return OK


def tell(verdict: Verdict) -> str:
    """A line for people."""
    if verdict.problem:
        return f"cannot be decoded: {verdict.problem}"
    ledger = verdict.ledger
    if ledger is None:
        return "can be decoded"
    text = f"can be decoded: samples={ledger.samples} exemplars={ledger.exemplars} metadata={ledger.metadata}"
    if verdict.rejected:
        reasons = " ".join(f"{reason}={count}" for reason, count in ledger.rejected.items())
        text += f"; appended now, {verdict.rejected} samples would be rejected: {reasons}"
    return text


def hexdump(data: bytes, limit: int = _HEAD_BYTES) -> Iterator[str]:
    """The first bytes, as `hexdump -C` shows them."""
    for at in range(0, min(limit, len(data)), _LINE_BYTES):
        line = data[at : min(at + _LINE_BYTES, limit)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        yield f"{at:08x}  {line.hex(' '):<{3 * _LINE_BYTES}} |{text}|"
    if len(data) > limit:
        yield f"... {len(data) - limit} more bytes: --raw FILE writes all"


def _fields(record: QuarantinedRecord) -> dict[str, Any]:
    return {
        "id": shown_id(record.id),
        "log_id": record.log_id,
        "partition": record.partition,
        "offset": record.offset,
        "time": rfc3339(record.append_time),
        "tenant": record.key.decode(errors="replace"),
        "reason": record.reason,
        "headers": ", ".join(f"{name}={value.decode(errors='replace')}" for name, value in record.headers),
        "bytes": len(record.value),
    }


def _write_raw(value: bytes, target: str) -> int:
    if target == "-":
        sys.stdout.buffer.write(value)
        return OK
    try:
        Path(target).write_bytes(value)
    except OSError as error:
        sys.stderr.write(f"forebay: value cannot be written file={target} error={error}\n")
        return FAILED
    return OK
