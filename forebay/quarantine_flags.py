"""Flags of `forebay quarantine list | show | replay | drop`."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

NewCommand = Callable[[Any, str, str], argparse.ArgumentParser]
"""Makes a command, with the flags that all have."""


class QuarantineFlags(NamedTuple):
    action: str = ""
    ids: Sequence[str] = ()
    all: bool = False
    partitions: Sequence[int] | None = None
    tenant: str | None = None
    reason: str | None = None
    raw: str | None = None
    """A file, or `-` for stdout."""
    dry_run: bool = False
    partial: bool = False
    yes: bool = False


def add_quarantine(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", new_command: NewCommand) -> None:
    """Adds the command and its four actions."""
    text = "Look after records that could not be decoded: list, show, replay, drop."
    actions = commands.add_parser("quarantine", help=text, description=text, allow_abbrev=False).add_subparsers(
        dest="quarantine.action", metavar="ACTION", required=True
    )
    listing = new_command(actions, "list", "List poison records: reason, partition, offset, time, tenant.")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    show = new_command(actions, "show", "Show one record: its fields, and what this version's decoder says of it.")
    show.add_argument("quarantine.ids", metavar="ID", nargs=1, help="as `list` prints it")
    show.add_argument("--json", action="store_true", help="print JSON, with the value in base64")
    show.add_argument("--raw", dest="quarantine.raw", metavar="FILE", help="write its value there; - for stdout")
    replay = new_command(
        actions, "replay", "Append records that can be decoded now to the log again; the others stay, with the reason."
    )
    replay.add_argument("--dry-run", dest="quarantine.dry_run", action="store_true", help="say what would be done")
    replay.add_argument(
        "--partial",
        dest="quarantine.partial",
        action="store_true",
        help="append records of which only some samples would be stored, too: the others are rejected, and counted",
    )
    drop = new_command(actions, "drop", "Remove records for good; audit goes on saying that they were dropped.")
    drop.add_argument("--yes", dest="quarantine.yes", action="store_true", help="needed with --all")
    for each in (replay, drop):
        each.add_argument("quarantine.ids", metavar="ID", nargs="*", help="as `list` prints it")
        each.add_argument("--all", dest="quarantine.all", action="store_true", help="every record that filters leave")
    for each in (listing, replay, drop):
        _add_filters(each)


def _add_filters(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--partition",
        dest="quarantine.partitions",
        metavar="NUMBER",
        type=int,
        action="append",
        help="only of this partition; may be repeated",
    )
    command.add_argument("--tenant", dest="quarantine.tenant", metavar="ID", help="only of this tenant")
    command.add_argument("--reason", dest="quarantine.reason", metavar="TEXT", help="only where the reason holds TEXT")
