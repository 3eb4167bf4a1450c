"""`forebay check-config`: the settings in effect, or what is wrong with them."""

import sys
from pathlib import Path

import yaml

from forebay.exit_codes import OK, USAGE
from forebay.flags import Flags
from forebay.overrides_file import load_overrides
from forebay.settings import Settings, effective
from forebay.strict_yaml import SettingsError


def run(_flags: Flags, settings: Settings) -> int:
    """Settings that cannot be read have ended the command before."""
    if settings.overrides_file:
        try:
            overrides = load_overrides(Path(settings.overrides_file), settings.limits)
        except SettingsError as error:
            sys.stderr.write(f"forebay: {error}\n")
            return USAGE
        sys.stdout.write(f"# {len(overrides)} tenants have limits of their own\n")
    sys.stdout.write(yaml.safe_dump(effective(settings), sort_keys=False, default_flow_style=False))
    return OK
