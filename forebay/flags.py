"""Flags: dotted like Prometheus'. A flag given wins over the settings file."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from forebay.bench_flags import BenchFlags, add_bench
from forebay.limits_flags import LimitsFlags, add_limits
from forebay.logs import LEVELS, LogFormat
from forebay.quarantine_flags import QuarantineFlags, add_quarantine
from forebay.replay_flags import ReplayFlags, add_replay
from forebay.version import VERSION

LISTEN = {"all-in-one": ":9201", "gateway": ":9201", "consumer": ":9203", "compactor": ":9204"}
"""Where each role listens unless told otherwise; 9202 is kept for the StoreAPI."""

_ROLES = {
    "all-in-one": "Run every role in one process: embedded log, local bucket, nothing else needed.",
    "gateway": "Take remote-write in and append it to the log.",
    "consumer": "Turn the log into blocks in the bucket, and answer reads of what is fresh.",
    "compactor": "Merge the bucket's blocks, and clean up.",
}
_EXIT_CODES = """exit codes:
  0  ended as asked
  1  failed at run time; audit: a discrepancy was found; quarantine: something was left undone;
     replay: something cannot be built; status: something is wrong; limits: somebody would be cut
  2  flags or settings are wrong
  3  could not start: address, log or bucket
"""


class Flags(NamedTuple):
    command: str
    config_file: Path | None
    data_dir: Path
    log_level: str
    log_format: LogFormat
    listen_address: str | None = None
    web_config_file: str | None = None
    enable_lifecycle: bool | None = None
    enable_admin_api: bool | None = None
    processes: int | None = None
    self_metrics: bool | None = None
    json: bool = False
    deep: bool = False
    quarantine: QuarantineFlags = QuarantineFlags()
    replay: ReplayFlags = ReplayFlags()
    limits: LimitsFlags = LimitsFlags()
    bench: BenchFlags = BenchFlags()
    urls: Sequence[str] | None = None
    watch: bool = False


def parse_flags(arguments: list[str]) -> Flags:
    """Ends the process with exit code 2 where they are wrong, with 0 after --help and --version."""
    given = vars(make_parser().parse_args(arguments))
    return Flags(
        quarantine=QuarantineFlags(**_of("quarantine.", given)),
        replay=ReplayFlags(**_of("replay.", given)),
        limits=LimitsFlags(**_of("limits.", given)),
        bench=BenchFlags(**_given(_of("bench.", given))),
        **given,
    )


def make_parser() -> argparse.ArgumentParser:
    """Every command and flag."""
    parser = argparse.ArgumentParser(
        prog="forebay",
        description="Prometheus remote-write in, exactly-once TSDB blocks in object storage out.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"forebay {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for role, text in _ROLES.items():
        command = _command(commands, role, text)
        command.add_argument(
            "--web.listen-address",
            dest="listen_address",
            metavar="HOST:PORT",
            type=_address,
            help=f"where to serve HTTP; an empty host is every address (default: {LISTEN[role]})",
        )
        _web_config(command)
        command.add_argument(
            "--web.enable-lifecycle",
            dest="enable_lifecycle",
            action="store_true",
            default=None,
            help="let POST /-/reload read the files anew that can be (default: as web.enable_lifecycle, off)",
        )
        command.add_argument(
            "--web.enable-admin-api",
            dest="enable_admin_api",
            action="store_true",
            default=None,
            help="let requests do what is an operator's, such as trials of limits (default: as web.enable_admin_api)",
        )
        if role == "gateway":
            command.add_argument(
                "--web.processes",
                dest="processes",
                metavar="N",
                type=int,
                help="processes that share the port; more than one needs a Kafka log (default: as web.processes, 1)",
            )
        if role == "all-in-one":
            command.add_argument(
                "--self-metrics",
                dest="self_metrics",
                action=argparse.BooleanOptionalAction,
                help="write this process' own metrics through its own gateway (default: as self_metrics.enabled, true)",
            )
    _web_config(
        _command(commands, "check-config", "Check the settings file and print the settings in effect, without secrets.")
    )
    audit = _command(
        commands,
        "audit",
        "Prove what became of every sample: chains without gap, ledgers that balance, blocks that are there.",
    )
    audit.add_argument("--json", action="store_true", help="print JSON instead of a table")
    audit.add_argument("--deep", action="store_true", help="read every object and compare its SHA-256 (slow)")
    add_quarantine(commands, _command)
    add_replay(commands, _command)
    add_limits(commands, _command, _url)
    add_bench(commands, _EXIT_CODES)
    status = _command(
        commands, "status", "Tell how far log, consumers and bucket are, by partition; 1 where something is wrong."
    )
    status.add_argument("--json", action="store_true", help="print JSON instead of tables")
    status.add_argument("--watch", action="store_true", help="look again every 2 seconds, until interrupted")
    status.add_argument(
        "--url",
        dest="urls",
        metavar="URL",
        type=_url,
        action="append",
        help="a consumer to ask what it holds, such as http://127.0.0.1:9203; may be repeated (default: status.urls)",
    )
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "--config.file",
        dest="config_file",
        metavar="FILE",
        type=Path,
        help="settings file, YAML (default: none, every setting has a default; check-config prints them)",
    )
    command.add_argument(
        "--data.dir",
        dest="data_dir",
        metavar="DIR",
        type=Path,
        default=Path("data"),
        help="local directory: embedded log in DIR/log, bucket in DIR/bucket unless one is configured, blocks being "
        "built in DIR/staging (default: data)",
    )
    command.add_argument(
        "--log.level",
        dest="log_level",
        choices=LEVELS,
        default="info",
        help="least severe lines to log, on stderr (default: info)",
    )
    command.add_argument(
        "--log.format",
        dest="log_format",
        choices=("logfmt", "json"),
        default="logfmt",
        help="form of the lines (default: logfmt)",
    )
    return command


def _web_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--web.config.file",
        dest="web_config_file",
        metavar="FILE",
        help="TLS, headers and basic-auth users, in the format of Prometheus' exporter-toolkit "
        "(default: as web.config_file, none)",
    )


def _of(prefix: str, given: dict[str, Any]) -> dict[str, Any]:
    """Takes the flags out that are of one command alone."""
    return {name.removeprefix(prefix): given.pop(name) for name in list(given) if name.startswith(prefix)}


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    """Those that are not left to their defaults."""
    return {name: value for name, value in flags.items() if value not in (None, [])}


def _url(text: str) -> str:
    from forebay.settings import check_url  # noqa: PLC0415 - as for addresses

    try:
        return check_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _address(text: str) -> str:
    from forebay.settings import host_and_port  # noqa: PLC0415 - help and usage errors need no settings

    try:
        host_and_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
