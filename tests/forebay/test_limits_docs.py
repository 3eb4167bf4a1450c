"""docs/limits.md agrees with the code: every limit, its default, reason and status, and whether it can be a shadow."""

import re

import msgspec

from forebay.settings import effective
from gateway.limits import SHADOWS, LimitSettings
from gateway.reasons import ADVICE, GATEWAY_REASONS
from tests.forebay.test_docs import DOCS, shown

_ROW = re.compile(r"^\| `(\w+)` \|" + 4 * r"([^|]*)\|" + r"[^|]{10,}\|$", re.MULTILINE)
_STATUS = {"rate_limited": "429", "request_too_large": "413"}


def test_every_limit_is_in_the_table_as_it_is() -> None:
    limits = effective(LimitSettings())
    reasons = {each.setting: reason for reason, each in ADVICE.items() if reason in GATEWAY_REASONS}
    reasons["samples_burst"] = "rate_limited"
    expected = {}
    for name, default in limits.items():
        reason = reasons.get(name, "")
        status = _STATUS.get(reason, "400") if reason else ""
        shadow = "yes" if name in SHADOWS else ""
        expected[name] = (shown(default), f"`{reason}`" if reason else "", status, shadow)
    rows = _ROW.findall((DOCS / "limits.md").read_text())
    assert {name: tuple(cell.strip() for cell in cells) for name, *cells in rows} == expected


def test_shadows_are_limits_and_count_for_their_own_reason() -> None:
    fields = {field.name for field in msgspec.structs.fields(LimitSettings)}
    assert set(SHADOWS) <= fields
    assert {ADVICE[reason].setting for reason in SHADOWS.values()} == set(SHADOWS)
