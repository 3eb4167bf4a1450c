"""`forebay check-config`: the settings in effect, or what is wrong with them."""

import sys

import yaml

from forebay.exit_codes import OK
from forebay.flags import Flags
from forebay.settings import Settings, effective


def run(_flags: Flags, settings: Settings) -> int:
    """Settings that cannot be read have ended the command before."""
    sys.stdout.write(yaml.safe_dump(effective(settings), sort_keys=False, default_flow_style=False))
    return OK
