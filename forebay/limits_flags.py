"""Flags of `forebay limits test`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from forebay.quarantine_flags import NewCommand
from forebay.units import Duration


class LimitsFlags(NamedTuple):
    action: str = ""
    file: Path = Path()
    partitions: Sequence[int] = ()
    start: str = ""
    end: str = ""
    urls: Sequence[str] = ()
    duration: Duration = Duration(60_000)
    authorization_file: Path | None = None


def add_limits(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    new_command: NewCommand,
    url: Callable[[str], str],
) -> None:
    """Adds the command; `url` is the type of a URL."""
    text = "Look at limits: test."
    actions = commands.add_parser("limits", help=text, description=text, allow_abbrev=False).add_subparsers(
        dest="limits.action", metavar="ACTION", required=True
    )
    test = new_command(
        actions,
        "test",
        "Say who would be cut by a proposed overrides file, by what and how much: over a range of the log, or beside "
        "running gateways. Changes nothing; 1 where somebody would be cut.",
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
    test.add_argument(
        "--url",
        dest="limits.urls",
        metavar="URL",
        type=url,
        action="append",
        default=[],
        help="instead of the log, a gateway to try the limits in, beside those in force; may be repeated; it must run "
        "with --web.enable-admin-api",
    )
    test.add_argument(
        "--url.authorization-file",
        dest="limits.authorization_file",
        metavar="FILE",
        type=Path,
        help="holds what to send them as the header Authorization, such as `Bearer TOKEN` (default: nothing is sent)",
    )
    test.add_argument(
        "--for",
        dest="limits.duration",
        metavar="DURATION",
        type=_duration,
        default=Duration(60_000),
        help="how long to try them there, such as 10m (default: 1m)",
    )
    test.add_argument("--json", action="store_true", help="print JSON instead of tables")


def _duration(text: str) -> Duration:
    try:
        duration = Duration.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not 0 < duration <= Duration.parse("1h"):
        raise argparse.ArgumentTypeError("must be above 0 and at most 1h")
    return duration
