"""`forebay audit`: what became of every sample, proved for a whole bucket."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

import msgspec

from bucket.audit import audit
from bucket.audit_report import AuditReport, Note, Progress
from forebay.columns import columns
from forebay.errors import ForebayError
from forebay.exit_codes import FAILED, OK, START_FAILED
from forebay.flags import Flags
from forebay.parts import open_existing_bucket
from forebay.settings import Settings
from forebay.units import rough

_HEADS = (
    "log",
    "partition",
    "segments",
    "offsets",
    "records",
    "samples",
    "stored",
    "duplicate",
    "deduplicated",
    "rejected",
    "blocks",
)
_NOTES_OF_A_KIND = 10


def run(flags: Flags, settings: Settings) -> int:
    """Prints the report; 1 where there is a discrepancy, 3 where the bucket cannot be read or has no manifest."""
    meter = Meter(sys.stderr)
    try:
        bucket = open_existing_bucket(settings, flags.data_dir)
    except ForebayError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return START_FAILED
    try:
        report = audit(bucket, now_ms=time.time_ns() // 1_000_000, deep=flags.deep, progress=meter.show)
    except ForebayError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return START_FAILED
    finally:
        meter.clear()
        bucket.close()
    if flags.json:
        document = msgspec.json.encode({"ok": report.ok} | msgspec.to_builtins(report))
        sys.stdout.write(msgspec.json.format(document, indent=1).decode() + "\n")
    else:
        sys.stdout.write(render(report, bucket.description))
    if not report.ok:
        return FAILED
    # Nothing at all is no proof: most likely it is not the bucket that was meant.
    return OK if report.partitions else START_FAILED


def render(report: AuditReport, bucket: str) -> str:
    """The report as text: a row for each chain, what is worth knowing, what is wrong, and the verdict last."""
    rows = [
        (
            row.log_id[:8],
            row.partition,
            row.segments,
            f"[{row.start}, {row.end})",
            row.records,
            row.samples,
            row.stored,
            row.duplicate,
            row.deduplicated,
            sum(row.rejected.values()),
            row.blocks,
        )
        for row in report.partitions
    ]
    text = columns(_HEADS, rows)
    text += _notes(report.notes)
    if report.discrepancies:
        text += "\n"
    for each in report.discrepancies:
        text += f"discrepancy {each.code}: {each.where}: {each.message}\n    hint: {each.hint}\n"
    return f"{text}\n{_verdict(report)}: {bucket}\n"


def _notes(notes: Sequence[Note]) -> str:
    """The first few of each kind: thousands of them say no more, and hide what is wrong."""
    text, seen = "", Counter[str]()
    for each in notes:
        seen[each.code] += 1
        if seen[each.code] <= _NOTES_OF_A_KIND:
            age = "" if each.age is None else f" (written {rough(each.age)} ago)"
            text += f"note {each.code}: {each.where}: {each.message}{age}\n"
    for code, count in seen.items():
        if count > _NOTES_OF_A_KIND:
            text += f"note {code}: and {count - _NOTES_OF_A_KIND} more, which --json lists\n"
    return text and "\n" + text


def _verdict(report: AuditReport) -> str:
    totals = report.totals
    if report.discrepancies:
        count = len(report.discrepancies)
        return "1 discrepancy" if count == 1 else f"{count} discrepancies"
    if not report.partitions:
        return "nothing to audit, there is no manifest: is this the bucket you mean (--config.file, --data.dir)?"
    seen = f"{totals.hashed_bytes} bytes compared" if report.deep else "sizes compared, --deep compares bytes"
    merged = f"{totals.superseded} of them merged into {totals.compacted}" if totals.compacted else "none merged yet"
    deduplicated = f"{totals.deduplicated} deduplicated + " if totals.deduplicated else ""
    return (
        f"ok, {totals.samples} samples = {totals.stored} stored + {totals.duplicate} duplicate + "
        f"{deduplicated}{totals.rejected} rejected; {totals.blocks} blocks, {merged}; {totals.files} files, {seen}"
    )


class Meter:
    """Shows progress on a terminal, and nothing elsewhere."""

    _EVERY_SECONDS = 0.1

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Cheap enough for every step."""
        if self._stream is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._EVERY_SECONDS
        of_total = f" of {progress.total}" if progress.total else ""
        self._stream.write(f"\r\x1b[K{progress.stage} {progress.done}{of_total}")
        self._stream.flush()

    def clear(self) -> None:
        """Takes the line away."""
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
