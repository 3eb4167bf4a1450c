"""`forebay status`: how far log, consumers and bucket are."""

import signal
import sys
import threading
from contextlib import ExitStack
from itertools import groupby

import msgspec

from broker.open import open_group, open_reader
from bucket.open import open_bucket
from forebay.clock import SystemClock
from forebay.columns import columns, printable
from forebay.errors import ForebayError
from forebay.exit_codes import FAILED, OK, START_FAILED
from forebay.flags import Flags
from forebay.parts import LOG, bucket_settings
from forebay.settings import Settings
from forebay.status_look import Looker
from forebay.status_report import ConsumerReport, PartitionReport, StatusReport
from forebay.units import rfc3339, rough

_WATCH_SECONDS = 2
_CLEAR = "\x1b[H\x1b[2J"
_NOTHING = "-"
_PARTITION_HEADS = (
    "partition",
    "owner",
    "end",
    "read to",
    "lag",
    "age",
    "published to",
    "waiting",
    "age",
    "open segment",
    "last manifest",
)
_CONSUMER_HEADS = ("consumer", "role", "ready", "partitions", "records", "samples", "series", "memory", "state")


def run(flags: Flags, settings: Settings) -> int:
    """1 where something is wrong, 3 where the log cannot be read; with --watch, 0 once interrupted."""
    try:
        with ExitStack() as parts:
            looker = _open(flags, settings, parts)
            if not flags.watch:
                report = looker.look()
                _write(report, flags)
                return OK if report.ok else FAILED
            _watch(looker, flags)
            return OK
    except ForebayError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return START_FAILED


def _open(flags: Flags, settings: Settings, parts: ExitStack) -> Looker:
    directory = flags.data_dir / LOG
    group_id = settings.consumer.group_id
    log = open_reader(settings.broker, directory)
    parts.callback(log.close)
    group = open_group(settings.broker, directory, group_id)
    parts.callback(group.close)
    bucket = open_bucket(bucket_settings(settings, flags.data_dir))
    parts.callback(bucket.close)
    segment = settings.segment
    return Looker(
        log,
        group,
        bucket,
        group_id=group_id,
        urls=settings.status.urls if flags.urls is None else flags.urls,
        # Twice: a segment may be on its way into the bucket while the next one fills.
        late_seconds=(2 * segment.interval + segment.grace) / 1000,
        clock=SystemClock(),
    )


def _watch(looker: Looker, flags: Flags) -> None:
    """Until SIGINT. Not by KeyboardInterrupt, which is lost where it strikes in what may not raise."""
    clear = _CLEAR if sys.stdout.isatty() else ""
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        while not interrupted.is_set():
            try:
                report = looker.look()
            except ForebayError as error:
                sys.stdout.write(f"{clear}forebay: {error}\n")
            else:
                sys.stdout.write(clear)
                _write(report, flags)
            sys.stdout.flush()
            interrupted.wait(_WATCH_SECONDS)
    finally:
        signal.signal(signal.SIGINT, before)


def _write(report: StatusReport, flags: Flags) -> None:
    if flags.json:
        document = msgspec.json.encode({"ok": report.ok} | msgspec.to_builtins(report))
        sys.stdout.write(msgspec.json.format(document, indent=1).decode() + "\n")
    else:
        sys.stdout.write(render(report))


def render(report: StatusReport) -> str:
    """As text: a row for each partition, one for each consumer that was asked, what is wrong, and the verdict last."""
    text = f"{rfc3339(report.at)}  log {report.log_id}  group {report.group}\n\n"
    text += columns(_PARTITION_HEADS, [_partition(row) for row in report.partitions])
    if report.consumers:
        text += "\n" + columns(_CONSUMER_HEADS, [_consumer(each) for each in report.consumers])
    text += "\n"
    for hint, alike in groupby(report.problems, lambda problem: problem.hint):
        text += "".join(f"wrong: {each.where}: {printable(each.message)}\n" for each in alike)
        text += f"    hint: {hint}\n" if hint else ""
    return f"{text}{_verdict(report)}: {report.bucket}\n"


def _partition(row: PartitionReport) -> list[object]:
    last = row.last_manifest
    return [
        row.partition,
        printable(row.owner or _NOTHING),
        row.end_offset,
        _or_nothing(row.position),
        _or_nothing(row.lag),
        _NOTHING if row.lag_seconds is None else _age(row.lag_seconds),
        _NOTHING if row.published is None else f"{row.published}{'' if row.by_manifest else ' committed'}",
        row.unpublished,
        _age(row.unpublished_seconds),
        _open_segment(row),
        f"to {rfc3339(last.last_append_time)} by {last.ended_by}, {last.samples} samples in {last.blocks} blocks"
        if last
        else _NOTHING,
    ]


def _open_segment(row: PartitionReport) -> str:
    segment = row.open
    if segment is None:
        return _NOTHING
    text = f"from {segment.start}" + (f" since {rfc3339(segment.since)}" if segment.since is not None else "")
    if segment.samples is not None:
        text += f", {segment.samples} samples of {segment.series} series"
    return text + (", sealing" if segment.sealing else "")


def _consumer(report: ConsumerReport) -> list[object]:
    if report.problem:
        return [report.url, *[_NOTHING] * (len(_CONSUMER_HEADS) - 2), "no answer"]
    state = [f"{count} {name}" for count, name in ((report.sealing, "sealing"), (report.paused, "paused")) if count]
    return [
        report.url,
        printable(report.role),
        "yes" if report.ready else "no",
        ",".join(map(str, report.partitions)) or _NOTHING,
        report.records,
        report.samples,
        report.series,
        _memory(report.memory_bytes),
        ", ".join(state) or _NOTHING,
    ]


def _verdict(report: StatusReport) -> str:
    if report.problems:
        count = len(report.problems)
        return "1 thing is wrong" if count == 1 else f"{count} things are wrong"
    waiting = sum(row.unpublished for row in report.partitions)
    oldest = max((row.unpublished_seconds for row in report.partitions), default=0.0)
    return f"ok, {waiting} records wait to be published, the oldest for {_age(oldest)}"


def _or_nothing(value: int | None) -> object:
    return _NOTHING if value is None else value


def _age(seconds: float) -> str:
    return rough(round(seconds * 1000))


def _memory(size: int) -> str:
    return f"{size / (1 << 20):.1f}MiB"
