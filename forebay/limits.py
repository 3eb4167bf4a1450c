"""`forebay limits test`: who would be cut by proposed limits, by what, and how much; nothing is changed."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import NamedTuple

import msgspec

from broker.open import open_reader
from consumers.replay_range import BadSelection, within
from forebay.clock import SystemClock
from forebay.errors import ForebayError
from forebay.exit_codes import FAILED, OK, START_FAILED, USAGE
from forebay.flags import Flags
from forebay.limits_live import try_live
from forebay.limits_log import LogRange, not_judged, resolve, try_on_log
from forebay.limits_text import document, render
from forebay.meter import Meter
from forebay.overrides_file import load_overrides
from forebay.parts import LOG
from forebay.replay import read_bound
from forebay.settings import Settings
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings
from gateway.trial_report import TrialReport

Overrides = Mapping[str, LimitSettings]


class _Found(NamedTuple):
    report: TrialReport
    notes: list[str]
    complete: bool = True
    """Whether everything that was asked for was looked at."""


def run(flags: Flags, settings: Settings) -> int:
    """Prints what would be refused; 1 where anything would be, 3 where log or gateways cannot be asked."""
    try:
        overrides = load_overrides(flags.limits.file, settings.limits)
        found = (_live if flags.limits.urls else _over_log)(flags, settings, overrides)
    except (SettingsError, BadSelection, ValueError) as error:
        sys.stderr.write(f"forebay: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("forebay: interrupted; nothing was changed\n")
        return FAILED
    except (ForebayError, OSError) as error:
        sys.stderr.write(f"forebay: {error}\n")
        return START_FAILED

    def limits_of(tenant: str) -> LimitSettings:
        return overrides.get(tenant, settings.limits)

    show = _json if flags.json else render
    sys.stdout.write(show(found.report, limits_of, found.notes))
    if found.report.cut:
        return FAILED
    return OK if found.complete else START_FAILED


def _over_log(flags: Flags, settings: Settings, overrides: Overrides) -> _Found:
    asked = flags.limits
    log_range = LogRange(tuple(asked.partitions), read_bound(asked.start), read_bound(asked.end))
    with ExitStack() as parts:
        reader = open_reader(settings.broker, flags.data_dir / LOG)
        parts.callback(reader.close)
        spans = resolve(log_range, reader)
        meter = Meter(sys.stderr, SystemClock(), "limits test", within(spans))
        parts.callback(meter.clear)
        window = int(settings.gateway.active_series_window)
        report = try_on_log(
            reader,
            spans,
            settings.limits,
            overrides,
            advance=meter.advance,
            active_window_ms=window,
            looks_back=2 * int(settings.broker.label_window),
        )
    unjudged = {name for limits in (settings.limits, *overrides.values()) for name in not_judged(limits)}
    why = "not judged, since a record of the log is not a whole request"
    return _Found(report, [f"{why}: {', '.join(sorted(unjudged))}"] if unjudged else [])


def _live(flags: Flags, settings: Settings, overrides: Overrides) -> _Found:
    asked = flags.limits
    if asked.partitions or asked.start or asked.end:
        raise ValueError("--partition, --from and --to are of the log, and --url asks gateways: give one or the other")
    authorization = asked.authorization_file.read_text().strip() if asked.authorization_file else ""
    clock = SystemClock()
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: interrupted.set())
    meter = Meter(sys.stderr, clock, "limits test", round(asked.duration.seconds))
    try:
        found = try_live(
            asked.urls,
            asked.file.read_bytes(),
            asked.duration.seconds,
            authorization=authorization,
            clock=clock,
            wait=lambda seconds: not interrupted.wait(seconds),
            advance=meter.advance,
        )
    finally:
        meter.clear()
        signal.signal(signal.SIGINT, before)
    notes = [f"not in these figures: {each}" for each in found.missing]
    if interrupted.is_set():
        notes.append("interrupted: these figures are of the time until then")
    if any(limits.max_request_bytes for limits in (settings.limits, *overrides.values())):
        notes.append("not judged, since a trial sees requests decompressed: max_request_bytes")
    return _Found(found.report, notes, complete=not found.missing)


def _json(report: TrialReport, limits_of: Callable[[str], LimitSettings], notes: list[str]) -> str:
    found = msgspec.json.encode(document(report, limits_of, notes))
    return msgspec.json.format(found, indent=1).decode() + "\n"
