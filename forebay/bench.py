"""`forebay bench`: scenarios on a model of this and other designs."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from forebay.columns import columns
from forebay.exit_codes import OK, START_FAILED, USAGE
from forebay.flags import Flags
from forebay.scenarios import scaling_table, table
from forebay.scenarios.calibration import Calibration, figures
from forebay.scenarios.outcome import Outcome
from forebay.scenarios.picture import picture
from forebay.scenarios.run import play
from forebay.scenarios.scaling import METRICS, scale
from forebay.scenarios.scenario import SCENARIOS
from forebay.settings import Settings

_APART = ("offered", "acknowledged", "waiting", "produced", "consumed", "lag", "moments")
"""What an outcome holds for its proof and its chart."""


def run(flags: Flags, _settings: Settings) -> int:
    """Prints what the model says; 2 where a chart is asked of more than one scenario at one size."""
    return _ACTIONS[flags.bench.action](flags)


def _scenarios(flags: Flags) -> int:
    bench = flags.bench
    scenarios = bench.scenarios or tuple(SCENARIOS)
    if bench.chart and not len(scenarios) == len(bench.sizes) == 1:
        sys.stderr.write("forebay: a chart shows one scenario at one size: name one, and give --size\n")
        return USAGE
    outcomes = [
        play(SCENARIOS[name], size, design, bench.seed, Calibration())
        for size in bench.sizes
        for name in scenarios
        for design in bench.designs
    ]
    if flags.json:
        _print_json([_document(each) for each in outcomes])
    elif bench.markdown:
        sys.stdout.write(table.markdown(table.HEADS, [table.row(each) for each in outcomes]))
    else:
        sys.stdout.write(table.text(outcomes))
    return _draw(bench.chart, picture(outcomes)) if bench.chart else OK


def _scaling(flags: Flags) -> int:
    bench = flags.bench
    days = [scale(metric, bench.behavior, bench.seed, Calibration()) for metric in METRICS]
    if flags.json:
        _print_json([{name: value for name, value in day._asdict().items() if name != "minutes"} for day in days])
    elif bench.markdown:
        sys.stdout.write(table.markdown(scaling_table.HEADS, [scaling_table.row(day) for day in days]))
    else:
        sys.stdout.write(columns(scaling_table.HEADS, [scaling_table.row(day) for day in days]))
    return _draw(bench.chart, scaling_table.picture(days)) if bench.chart else OK


def _figures(flags: Flags) -> int:
    given = Calibration()
    if flags.json:
        _print_json(
            {
                name: {"value": float(each), "unit": each.unit, "kind": each.kind, "source": each.source}
                for name, each in figures(given)
            }
        )
    elif flags.bench.markdown:
        sys.stdout.write(table.figures_markdown(given))
    else:
        sys.stdout.write(table.figures_text(given))
    return OK


def _document(outcome: Outcome) -> dict[str, Any]:
    document = {name: value for name, value in outcome._asdict().items() if name not in _APART}
    return document | {"cost": outcome.cost._asdict()}


def _print_json(document: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")


def _draw(file: Path, drawn: str) -> int:
    try:
        file.write_text(drawn)
    except OSError as error:
        sys.stderr.write(f"forebay: cannot write {file}: {error.strerror}\n")
        return START_FAILED
    return OK


_ACTIONS: Mapping[str, Callable[[Flags], int]] = {"scenarios": _scenarios, "scaling": _scaling, "figures": _figures}
