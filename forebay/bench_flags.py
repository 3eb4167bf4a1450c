"""Flags of `forebay bench`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from forebay.scenarios.run import DESIGNS
from forebay.scenarios.scaling import BEHAVIORS
from forebay.scenarios.scenario import SCENARIOS
from forebay.scenarios.size import SIZES, Size

_SCENARIOS = "\n".join(["scenarios:", *(f"  {each.name:15} {each.text}" for each in SCENARIOS.values())])
_DESIGNS = """designs:
  forebay          consumers of a log; a partition is assigned, and its open segment read again when it moves
  hashring         receivers with replication factor 3 and a quorum of 2, as Thanos Receive and Cortex
  ingest-storage   one ingester for each partition of a log and zone, as in Mimir's ingest storage"""


class BenchFlags(NamedTuple):
    action: str = ""
    scenarios: Sequence[str] = ()
    sizes: Sequence[Size] = SIZES
    designs: Sequence[str] = tuple(DESIGNS)
    seed: int = 1
    chart: Path | None = None
    markdown: bool = False
    behavior: str = "slow"


def add_bench(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    exit_codes: str,
) -> None:
    """Adds the command. It needs no settings, no log and no bucket."""
    text = "Play a model of this and other designs, calibrated with measured figures: scenarios, scaling, figures."
    actions = commands.add_parser("bench", help=text, description=text, allow_abbrev=False).add_subparsers(
        dest="bench.action", metavar="ACTION", required=True
    )

    def action(name: str, text: str, epilog: str) -> argparse.ArgumentParser:
        made = actions.add_parser(
            name,
            help=text,
            description=text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        made.set_defaults(config_file=None, data_dir=Path("data"), log_level="info", log_format="logfmt")
        made.add_argument("--json", action="store_true", help="print JSON instead of a table")
        made.add_argument(
            "--markdown", dest="bench.markdown", action="store_true", help="print the table as docs/scenarios.md has it"
        )
        return made

    scenarios = action(
        "scenarios",
        "Say what becomes of writes, freshness, memory and money when nodes come, go, or fail. Seconds of computing.",
        f"{_SCENARIOS}\n\n{_DESIGNS}\n\n{exit_codes}",
    )
    scenarios.add_argument(
        "bench.scenarios",
        metavar="SCENARIO",
        nargs="*",
        type=_scenario,
        help="which to play (default: all)",
    )
    scenarios.add_argument(
        "--size",
        dest="bench.sizes",
        metavar="NODES:SERIES",
        type=_argument(Size.parse),
        action="append",
        help="such as 100:10M; 4 to 1000 nodes, at most 100M series; may be repeated "
        f"(default: {', '.join(map(str, SIZES))})",
    )
    scenarios.add_argument(
        "--design",
        dest="bench.designs",
        choices=tuple(DESIGNS),
        action="append",
        help="may be repeated (default: all)",
    )
    scenarios.add_argument(
        "--chart", dest="bench.chart", metavar="FILE", type=Path, help="draw one scenario at one size over time, as SVG"
    )
    scaling = action(
        "scaling",
        "Say which metric scales consumers best: a day with a step, a spike, an update and a slow consumer, under a "
        "scaler that sees one metric.",
        exit_codes,
    )
    scaling.add_argument(
        "--behavior",
        dest="bench.behavior",
        choices=tuple(BEHAVIORS),
        default="slow",
        help="slow: as deploy/kubernetes has it; prompt: up at once, down after half an hour (default: slow)",
    )
    scaling.add_argument("--chart", dest="bench.chart", metavar="FILE", type=Path, help="draw the day, as SVG")
    for played in (scenarios, scaling):
        played.add_argument(
            "--seed",
            dest="bench.seed",
            metavar="NUMBER",
            type=int,
            default=1,
            help="what is left to chance: which node is hit, and how far into a segment; the same seed gives the same "
            "figures (default: 1)",
        )
    action("figures", "Print every figure that the model is calibrated with, and where it is from.", exit_codes)


def _scenario(text: str) -> str:
    if text not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"not one of {', '.join(SCENARIOS)} (got {text!r})")
    return text


def _argument(parse: Callable[[str], Size]) -> Callable[[str], Size]:
    def parsed(text: str) -> Size:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
