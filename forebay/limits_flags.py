"""Flags of `forebay limits test`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from forebay.quarantine_flags import NewCommand

if TYPE_CHECKING:
    import argparse


class LimitsFlags(NamedTuple):
    action: str = ""
    file: Path = Path()
    partitions: Sequence[int] = ()
    start: str = ""
    end: str = ""


def add_limits(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", new_command: NewCommand) -> None:
    """Adds the command."""
    text = "Look at limits: test."
    actions = commands.add_parser("limits", help=text, description=text, allow_abbrev=False).add_subparsers(
        dest="limits.action", metavar="ACTION", required=True
    )
    test = new_command(
        actions,
        "test",
        "Say who would be cut by a proposed overrides file, by what and how much: over a range of the log. Changes "
        "nothing; 1 where somebody would be cut.",
    )
    test.add_argument(
        "--limits.file",
        dest="limits.file",
        metavar="FILE",
        type=Path,
        required=True,
        help="the proposed overrides file; limits of other tenants are those of --config.file",
    )
    for flag, name, place in (("--from", "start", "first"), ("--to", "end", "one behind the last")):
        test.add_argument(
            flag,
            dest=f"limits.{name}",
            metavar="OFFSET|TIME",
            default="",
            help=f"{place} record: an offset of the one --partition, or an append time such as 2026-01-31T14:00:00Z "
            "(default: all that the log holds)",
        )
    test.add_argument(
        "--partition",
        dest="limits.partitions",
        metavar="NUMBER",
        type=int,
        action="append",
        default=[],
        help="only this partition of the log; may be repeated (default: all)",
    )
    test.add_argument("--json", action="store_true", help="print JSON instead of tables")
