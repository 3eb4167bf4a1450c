"""`forebay replay`: a range of the log, built again where the bucket does not hold what it should."""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial

import msgspec

from broker.open import open_reader
from bucket.manifests import ManifestStore
from bucket.open import open_bucket
from bucket.workspace import Workspace
from consumers.replay_range import BadSelection, Bound, Offset, Selection, Time, resolve, within
from consumers.replay_report import SegmentReport
from consumers.retry import Abandoned, Backoff, Retry
from forebay.clock import SystemClock
from forebay.columns import columns
from forebay.errors import ForebayError, Retryable
from forebay.exit_codes import FAILED, OK, START_FAILED, USAGE
from forebay.flags import Flags
from forebay.parts import LOG, STAGING, bucket_settings, settings_recipe
from forebay.replay_meter import ReplayMeter
from forebay.replay_run import ReplayRun
from forebay.settings import Settings

_HEADS = ("log", "partition", "segment", "found", "done", "blocks", "present", "compacted", "missing", "different")
_LONGEST_WAIT = 10.0


def run(flags: Flags, settings: Settings) -> int:
    """Prints the plan or what was done; 1 where something cannot be done, 3 where log or bucket cannot be opened."""
    asked = flags.replay
    try:
        selection = Selection(tuple(asked.partitions), read_bound(asked.start), read_bound(asked.end))
    except ValueError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return USAGE
    started = False
    with ExitStack() as parts:
        try:
            bucket = open_bucket(bucket_settings(settings, flags.data_dir))
            parts.callback(bucket.close)
            reader = open_reader(settings.broker, flags.data_dir / LOG)
            parts.callback(reader.close)
            stop = parts.enter_context(_interruptible())
            spans = resolve(selection, reader, ManifestStore(bucket))
            started = True
            clock = SystemClock()
            meter = ReplayMeter(sys.stderr, clock, within(spans))
            parts.callback(meter.clear)
            workspace = Workspace(flags.data_dir / STAGING, "replay")
            parts.callback(workspace.close)
            replay = ReplayRun(
                reader,
                bucket,
                recipe=settings_recipe(settings),
                segment=settings.segment,
                threads=settings.consumer.build_threads,
                segment_bytes=settings.compactor.segment_bytes,
                workspace=workspace,
                clock=clock,
                stop=stop,
                retry=_retry(stop, meter.say),
                watch=meter,
                dry_run=asked.dry_run,
            )
            reports = list(replay.run(spans, rebuild=asked.rebuild))
        except BadSelection as error:
            sys.stderr.write(f"forebay: {error}\n")
            return USAGE
        except Abandoned:
            sys.stderr.write("forebay: interrupted; what was done stays done: run the same command again to go on\n")
            return FAILED
        except (ForebayError, OSError) as error:
            sys.stderr.write(f"forebay: {error}\n")
            return FAILED if started else START_FAILED
    if flags.json:
        document = {"ok": _is_ok(reports), "dry_run": asked.dry_run, "segments": reports}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")
    else:
        sys.stdout.write(render(reports, dry_run=asked.dry_run))
    return OK if _is_ok(reports) else FAILED


def read_bound(text: str) -> Bound | None:
    """An offset, or a time in RFC 3339; raises ValueError for anything else."""
    if not text:
        return None
    if text.isdecimal():
        return Offset(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"neither an offset nor a time such as 2026-01-31T14:00:00Z (got {text!r})")
    return Time(moment.timestamp() * 1000)


def render(reports: Sequence[SegmentReport], *, dry_run: bool) -> str:
    """The report as text: a row for each segment, what is not as it should be, and the verdict last."""
    rows = []
    for report in reports:
        states = Counter(block.state for block in report.blocks)
        counts = (len(report.blocks), *(states[state] for state in ("present", "compacted", "missing", "different")))
        done = "yes" if report.done else "-"
        place = f"[{report.start}, {report.end})"
        rows.append((report.log_id[:8], report.partition, place, report.state, done, *counts))
    return columns(_HEADS, rows) + "".join(_details(reports)) + f"\n{_verdict(reports, dry_run=dry_run)}\n"


def _details(reports: Sequence[SegmentReport]) -> Iterator[str]:
    for report in reports:
        place = f"partition={report.partition} start={report.start} end={report.end}"
        for block in report.blocks:
            if not block.is_sound:
                yield f"{block.state}: {block.ulid}: tenant={block.tenant} samples={block.samples} {place}"
                yield f" {block.detail}\n" if block.detail else "\n"
        if report.reason:
            yield f"{report.state}: {place}: {report.reason}\n"
            yield f"    hint: {report.hint}\n" if report.hint else ""


def _verdict(reports: Sequence[SegmentReport], *, dry_run: bool) -> str:
    states = Counter(report.state for report in reports)
    if not reports:
        return "nothing to replay: the range holds no records"
    text = f"{len(reports)} segments: {states['whole']} whole"
    if to_do := states["incomplete"] + states["missing"] + states["stale"]:
        text += f", {to_do} to be built" if dry_run else f", {sum(report.done for report in reports)} built"
    text += f", {states['open']} open" if states["open"] else ""
    text += f", {states['refused']} cannot be built" if states["refused"] else ""
    if not to_do and not states["refused"]:
        return f"nothing changed, {text}"
    return f"dry run, nothing changed: {text}" if dry_run else text


def _is_ok(reports: Sequence[SegmentReport]) -> bool:
    return all(report.state != "refused" for report in reports)


def _retry(stop: threading.Event, say: Callable[[str], None]) -> Retry:
    """A bucket that fails for some ten seconds ends the command, to be repeated."""

    def failed(error: Retryable, wait: float) -> None:
        if wait > _LONGEST_WAIT / 2:
            raise error
        say(f"{error}; again in {wait:.1f} s")

    return Retry(stop, partial(Backoff, 0.2, 2 * _LONGEST_WAIT), failed)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first SIGINT or SIGTERM sets the event, the second ends the process; nothing is lost by either."""
    stop = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(FAILED)
        stop.set()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
