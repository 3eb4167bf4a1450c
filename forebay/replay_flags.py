"""Flags of `forebay replay`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from forebay.quarantine_flags import NewCommand

if TYPE_CHECKING:
    import argparse


class ReplayFlags(NamedTuple):
    partitions: Sequence[int] = ()
    start: str = ""
    end: str = ""
    dry_run: bool = False
    rebuild: bool = False


def add_replay(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", new_command: NewCommand) -> None:
    """Adds the command."""
    replay = new_command(
        commands,
        "replay",
        "Build a range of the log again where the bucket does not hold what it should; beside everything else.",
    )
    replay.add_argument(
        "--partition",
        dest="replay.partitions",
        metavar="NUMBER",
        type=int,
        action="append",
        default=[],
        help="only this partition; may be repeated (default: all)",
    )
    for flag, name, text in (("--from", "start", "first"), ("--to", "end", "one behind the last")):
        replay.add_argument(
            flag,
            dest=f"replay.{name}",
            metavar="OFFSET|TIME",
            default="",
            help=f"{text} record: an offset of the one --partition, or an append time such as 2026-01-31T14:00:00Z "
            "(default: all that there is). Segments are taken whole",
        )
    replay.add_argument("--dry-run", dest="replay.dry_run", action="store_true", help="print the plan, change nothing")
    replay.add_argument(
        "--rebuild",
        dest="replay.rebuild",
        action="store_true",
        help="build segments of other settings under those of the settings file now, and put them in their place",
    )
    replay.add_argument("--json", action="store_true", help="print JSON instead of a table")
