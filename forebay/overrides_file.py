"""Reads the overrides file: what single tenants may send, where that is not what `limits` of the settings say.

tenants:
team-a: {samples_per_second: 5000, max_label_pairs: 40}
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from forebay.settings_file import read_text
from forebay.strict_yaml import HINT, SettingsError, convert, parse_yaml
from gateway.limits import LimitSettings
from gateway.tenant import BadTenant, check_tenant

_NOT_WIDER: Final = ("max_age", "max_future")
"""Consumers judge samples by the settings alone: what a tenant may send beyond them would be lost after its ack."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    tenants: dict[str, dict[str, Any]] = {}


def load_overrides(file: Path, defaults: LimitSettings) -> dict[str, LimitSettings]:
    """Every named tenant's limits: its own fields of the file, and those of `defaults`.

    Raises:
        SettingsError: `file: tenants.NAME.FIELD: problem (got value)`.
    """
    text = read_text(file, "overrides")
    try:
        return parse_overrides(text, defaults)
    except SettingsError as error:
        raise SettingsError(f"{file}: {error.args[0]}", hint=error.hint) from error


def parse_overrides(text: str, defaults: LimitSettings) -> dict[str, LimitSettings]:
    """As `load_overrides`, from the file's text."""
    document = parse_yaml(text)
    tenants = document.get("tenants")
    for name, given in tenants.items() if isinstance(tenants, dict) else ():
        if not isinstance(name, str):
            raise SettingsError(f"tenants.{name}: not a text", hint=f'quote it: "{name}"')
        if not isinstance(given, dict):
            raise SettingsError(f"tenants.{name}: expected a mapping (got {given!r})", hint=HINT)
    distinct: dict[LimitSettings, LimitSettings] = {}
    overrides = {}
    for tenant, given in convert(document, _File).tenants.items():
        limits = _over(defaults, tenant, given)
        overrides[tenant] = distinct.setdefault(limits, limits)
    return overrides


def _over(defaults: LimitSettings, tenant: str, given: dict[str, Any]) -> LimitSettings:
    path = f"tenants.{tenant}"
    try:
        check_tenant(tenant)
    except BadTenant as error:
        raise SettingsError(f"{path}: {error.args[0]}", hint=error.hint) from error
    own = convert(given, LimitSettings, path=path)
    try:
        limits = msgspec.structs.replace(defaults, **{name: getattr(own, name) for name in given})
    except ValueError as error:
        raise SettingsError(f"{path}: together with limits of the settings: {error}") from error
    if limits.ha is not None and defaults.ha is None:
        raise SettingsError(
            f"{path}.ha: the settings do not say limits.ha (got {limits.ha})",
            hint="set limits: {ha: false} for gateways and consumers first, in place of ha.tenants",
        )
    for name in _NOT_WIDER:
        if getattr(limits, name) > getattr(defaults, name):
            raise SettingsError(
                f"{path}.{name}: must not be above limits.{name} (got {getattr(limits, name)})",
                hint=f"raise limits.{name} for gateways and consumers, and give other tenants less",
            )
    return limits
