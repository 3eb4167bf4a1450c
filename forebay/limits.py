"""`forebay limits test`: who would be cut by proposed limits, by what, and how much; nothing is changed."""

import sys
from collections.abc import Mapping
from contextlib import ExitStack

import msgspec

from broker.open import open_reader
from consumers.replay_range import BadSelection, within
from forebay.clock import SystemClock
from forebay.errors import ForebayError
from forebay.exit_codes import FAILED, OK, START_FAILED, USAGE
from forebay.flags import Flags
from forebay.limits_log import LogRange, not_judged, resolve, try_on_log
from forebay.limits_meter import LimitsMeter
from forebay.limits_text import document, render
from forebay.overrides_file import load_overrides
from forebay.parts import LOG
from forebay.replay import read_bound
from forebay.settings import Settings
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings


def run(flags: Flags, settings: Settings) -> int:
    """Prints what would be refused; 1 where anything would be, 3 where log or gateways cannot be asked."""
    asked = flags.limits
    started = False
    try:
        overrides = load_overrides(asked.file, settings.limits)
        log_range = LogRange(tuple(asked.partitions), read_bound(asked.start), read_bound(asked.end))
        with ExitStack() as parts:
            reader = open_reader(settings.broker, flags.data_dir / LOG)
            parts.callback(reader.close)
            spans = resolve(log_range, reader)
            started = True
            meter = LimitsMeter(sys.stderr, SystemClock(), within(spans))
            parts.callback(meter.clear)
            report = try_on_log(reader, spans, settings.limits, overrides, meter.advance)[1]
    except (SettingsError, BadSelection, ValueError) as error:
        sys.stderr.write(f"forebay: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("forebay: interrupted; nothing was changed\n")
        return FAILED
    except ForebayError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return FAILED if started else START_FAILED

    def limits_of(tenant: str) -> LimitSettings:
        return overrides.get(tenant, settings.limits)

    notes = _notes(settings.limits, overrides)
    if flags.json:
        found = msgspec.json.encode(document(report, limits_of, notes))
        sys.stdout.write(msgspec.json.format(found, indent=1).decode() + "\n")
    else:
        sys.stdout.write(render(report, limits_of, notes))
    return FAILED if report.cut else OK


def _notes(defaults: LimitSettings, overrides: Mapping[str, LimitSettings]) -> list[str]:
    unjudged = {name for limits in (defaults, *overrides.values()) for name in not_judged(limits)}
    if not unjudged:
        return []
    return [f"not judged, since a record of the log is not a whole request: {', '.join(sorted(unjudged))}"]
