"""The command: flags, settings, the role, an exit code.

flags -> settings -> logs -> role -> 0 | 1 | 2 | 3
"""

import sys
from collections.abc import Callable

import msgspec

from forebay import (
    all_in_one,
    audit,
    bench,
    check_config,
    compactor_role,
    consumer_role,
    gateway_role,
    limits,
    quarantine,
    replay,
    status_command,
)
from forebay.exit_codes import USAGE
from forebay.flags import Flags, parse_flags
from forebay.logs import configure_logs
from forebay.settings import Settings
from forebay.settings_file import load_settings
from forebay.strict_yaml import SettingsError
from forebay.web_access import read_rules
from forebay.worker import Worker

_COMMANDS: dict[str, Callable[[Flags, Settings], int]] = {
    "all-in-one": all_in_one.run,
    "gateway": gateway_role.run,
    "consumer": consumer_role.run,
    "compactor": compactor_role.run,
    "check-config": check_config.run,
    "audit": audit.run,
    "quarantine": quarantine.run,
    "replay": replay.run,
    "limits": limits.run,
    "status": status_command.run,
    "bench": bench.run,
}

_SERVED = {"all-in-one", "gateway", "consumer", "compactor", "check-config"}
"""Commands that the files of web.config_file and auth.bearer_file concern."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    flags = parse_flags(sys.argv[1:] if arguments is None else arguments)
    worker = Worker.of_environment()
    configure_logs(flags.log_level, flags.log_format, process=None if worker is None else worker.number)
    try:
        settings = with_flags(load_settings(flags.config_file), flags)
        if flags.command in _SERVED:
            read_rules(settings)
    except SettingsError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return USAGE
    return _COMMANDS[flags.command](flags, settings)


def with_flags(settings: Settings, flags: Flags) -> Settings:
    """The settings, with what flags say instead. Raises SettingsError where the two do not go together."""
    given = {
        "processes": flags.processes,
        "listen_address": flags.listen_address,
        "config_file": flags.web_config_file,
        "enable_lifecycle": flags.enable_lifecycle,
        "enable_admin_api": flags.enable_admin_api,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen:
        try:
            settings = msgspec.structs.replace(settings, web=msgspec.structs.replace(settings.web, **chosen))
        except ValueError as error:
            raise SettingsError(str(error)) from error
    if flags.self_metrics is not None:
        own = msgspec.structs.replace(settings.self_metrics, enabled=flags.self_metrics)
        settings = msgspec.structs.replace(settings, self_metrics=own)
    return settings
