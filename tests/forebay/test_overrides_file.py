"""The overrides file: what may stand in it, and what an operator reads where something is wrong."""

import sys
from pathlib import Path

import pytest

from forebay.overrides_apart import ReadApartFailed, load_apart, pieces
from forebay.overrides_file import load_overrides, parse_overrides
from forebay.strict_yaml import SettingsError
from forebay.units import Duration
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.turns import AT_A_TIME

DEFAULTS = LimitSettings(max_label_pairs=100, samples_per_second=1000)


def test_a_tenant_has_its_own_fields_and_the_defaults_otherwise() -> None:
    overrides = parse_overrides("tenants: {team-a: {samples_per_second: 5, max_age: 1h}, team-b: {}}", DEFAULTS)
    assert overrides["team-a"] == LimitSettings(max_label_pairs=100, samples_per_second=5, max_age=Duration.parse("1h"))
    assert overrides["team-b"] == DEFAULTS


def test_a_tenant_may_have_its_pairs_deduplicated_where_consumers_know_of_it() -> None:
    overrides = parse_overrides("tenants: {team-a: {ha: true}}", LimitSettings(ha=False))
    policies = Policies(LimitSettings(ha=False), HaSettings(), 4, overrides)
    assert policies.of("team-a", 4).name_replicas
    assert not policies.of("team-b", 4).name_replicas


def test_equal_limits_are_one_object() -> None:
    overrides = parse_overrides("tenants: {a: &x {shard_size: 2}, b: *x, c: {shard_size: 2}}", DEFAULTS)
    assert overrides["a"] is overrides["b"] is overrides["c"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tenants: {}", "{}"])
def test_a_file_of_nobody_is_good(text: str) -> None:
    assert parse_overrides(text, DEFAULTS) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("overrides: {}", "overrides: unknown setting"),
        ("tenants: {team-a: {max_labels: 3}}", "tenants.team-a.max_labels: unknown setting"),
        (
            "tenants: {team-a: {max_age: 3}}",
            "tenants.team-a.max_age: expected a duration such as 30s, 5m or 1h30m (got 3)",
        ),
        ("tenants: {team-a: 3}", "tenants.team-a: expected a mapping (got 3)"),
        ("tenants: {team-a: {max_label_pairs: 0}}", "tenants.team-a: max_label_pairs must be within 1 and 1024"),
        ("tenants: {team-a: {shadow: [shard_size]}}", "tenants.team-a: shadow must name limits that can only count"),
        ("tenants: {team-a: {max_age: 8d}}", "tenants.team-a.max_age: must not be above limits.max_age (got 1w1d)"),
        ("tenants: {team-a: {max_future: 11m}}", "tenants.team-a.max_future: must not be above"),
        ("tenants: {team-a: {ha: true}}", "tenants.team-a.ha: the settings do not say limits.ha (got True)"),
        ("tenants: {a/b: {}}", "tenants.a/b: not a tenant id: tenant='a/b'"),
        ("tenants: {..: {}}", "tenants...: not a tenant id"),
        ("tenants: {123: {}}", "tenants.123: not a text"),
        ("tenants: {a: {shard_size: 1}, a: {}}", "not YAML: while reading a mapping"),
        ("[]", "settings: expected a mapping"),
    ],
)
def test_errors_name_the_tenant_the_problem_and_the_value(text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_overrides(text, DEFAULTS)
    assert caught.value.args[0].startswith(expected)


def test_errors_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "overrides.yaml"
    with pytest.raises(SettingsError, match="cannot read the overrides file: file="):
        load_overrides(file, DEFAULTS)
    file.write_text("nonsense: 1")
    with pytest.raises(SettingsError, match=r"overrides\.yaml: nonsense: unknown setting"):
        load_overrides(file, DEFAULTS)


def test_read_apart_it_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "overrides.yaml"
    tenants = "\n".join(f"  t{n}: {{shard_size: {n % 7}, shadow: [samples_per_second]}}" for n in range(1200))
    file.write_text(f"tenants:\n{tenants}\n")
    assert load_apart(file, DEFAULTS) == load_overrides(file, DEFAULTS)
    file.write_text("tenants: {team-a: {max_age: 8d}}")
    with pytest.raises(SettingsError, match=r"team-a\.max_age") as caught:
        load_apart(file, DEFAULTS)
    assert "raise limits.max_age" in caught.value.hint


def test_what_was_read_apart_is_handed_over_in_small_pieces() -> None:
    """So that the event loop has its turn after each; one by one they would cost more than they are."""
    shared, own = [LimitSettings(shard_size=1)] * 450, [LimitSettings(shard_size=2 + n) for n in range(1000)]
    overrides = {f"t{n}": limits for n, limits in enumerate(shared + own)}
    handed = list(pieces(overrides))
    sizes = [sum(len(tenants) for _, tenants in piece) for piece in handed]
    assert max(sizes) == AT_A_TIME
    assert len(sizes) == -(-len(overrides) // AT_A_TIME)
    assert {tenant: limits for piece in handed for limits, tenants in piece for tenant in tenants} == overrides


def test_a_reading_process_that_fails_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ReadApartFailed, match="exit_code=1"):
        load_apart(tmp_path / "overrides.yaml", DEFAULTS)
