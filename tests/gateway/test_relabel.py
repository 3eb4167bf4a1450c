"""Relabel rules of a tenant at the gateway, from their settings to the log and the answer."""

import msgspec
import pytest

from forebay.overrides_file import parse_overrides
from forebay.settings_file import parse_settings
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.relabel import RelabelRule
from gateway.settings import HaSettings
from tests.gateway.conftest import MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, body
from tests.wire.messages import WriteRequest

DROP = RelabelRule(action="drop", source_labels=("__name__",), regex="go_.*")
HOST = RelabelRule(source_labels=("instance",), regex="([^:]+):.*", target_label="host")


def named(*names: str) -> bytes:
    return body(*(({"__name__": name, "instance": "db1:9100"}, [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]) for name in names))


def stored(log: FakeLog) -> list[dict[str, str]]:
    entries = [entry for record in log.records for entry in WriteRequest.FromString(record.value).timeseries]
    return [{label.name.decode(): label.value.decode() for label in entry.labels} for entry in entries]


async def test_what_rules_drop_is_written_to_its_sender_and_counted(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(limits=LimitSettings(relabel=(DROP, HOST)))
    assert await gateway.write(named("go_threads", "up")) == (204, "")
    assert stored(log) == [{"__name__": "up", "instance": "db1:9100", "host": "db1"}]
    assert gateway.count("forebay_gateway_dropped_samples_total") == 2
    assert gateway.count("forebay_gateway_samples_total", type="float") == 2


async def test_a_request_that_is_dropped_whole_is_taken(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(limits=LimitSettings(relabel=(DROP,)))
    assert await gateway.write(named("go_threads")) == (204, "")
    assert log.records == []


async def test_an_answer_that_refuses_says_what_was_dropped(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(
        limits=LimitSettings(relabel=(DROP, RelabelRule(action="labeldrop", regex="__name__")))
    )
    status, text = await gateway.write(named("go_threads", "up"))
    assert status == 400
    assert text.startswith("2 of 4 samples refused, none stored, 2 dropped by relabel rules: missing_name=2\n")


async def test_rules_are_each_tenants_own() -> None:
    none, dropping = LimitSettings(), LimitSettings(relabel=(DROP,))
    policies = Policies(none, HaSettings(), 4, {"a": dropping})
    request = WriteRequest.FromString(b"").SerializeToString()
    assert policies.of("a", 4).route(request, NOW_MS).dropped == 0
    series = WriteRequest(
        timeseries=[{"labels": [{"name": b"__name__", "value": b"go_x"}], "samples": [{"timestamp": NOW_MS}]}]
    ).SerializeToString()
    assert [policies.of(tenant, 4).route(series, NOW_MS).dropped for tenant in ("a", "b")] == [1, 0]
    policies.replace({"b": dropping})
    assert [policies.of(tenant, 4).route(series, NOW_MS).dropped for tenant in ("a", "b")] == [0, 1]


RULES = """
limits:
  relabel:
    - {action: Drop, source_labels: [__name__], regex: "go_.*"}
    - {source_labels: [a], regex: "(?P<name>.*)x", target_label: b, replacement: "${name}-${1}"}
"""


def test_settings_are_prometheus_own() -> None:
    rules = parse_settings(RULES, {}).limits.relabel
    assert rules[0] == RelabelRule(action="drop", source_labels=("__name__",), regex="go_.*")
    assert rules[1].replacement == "${name}-${1}"
    (own,) = parse_overrides("tenants: {a: {relabel: [{action: labeldrop, regex: x}]}}", LimitSettings()).values()
    assert own.relabel == (RelabelRule(action="labeldrop", regex="x"),)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{action: hashmod, target_label: a}", "limits.relabel[1]: hashmod requires a modulus that is not zero"),
        ("{action: drop, regex: '('}", "limits.relabel[1]: regex is not RE2: missing ): ("),
        ("{action: drop, regexp: a}", "limits.relabel[1].regexp: unknown setting"),
        ("{target_label: a, replacement: 1}", "limits.relabel[1].replacement: expected `str`, got `int`"),
        ("{action: remove}", "limits.relabel[1]: unknown relabel action 'remove'; one of replace, keep, drop"),
    ],
)
def test_a_mistake_is_told_with_its_place(rule: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(f"limits: {{relabel: [{{action: keep}}, {rule}]}}", {})
    assert str(caught.value).startswith(problem)


def test_rules_survive_their_journey_between_processes() -> None:
    limits = LimitSettings(relabel=(RelabelRule(action="LabelMap", regex="a(.*)"),))
    assert msgspec.convert(msgspec.to_builtins(limits.relabel), tuple[RelabelRule, ...]) == limits.relabel


def test_rules_of_many_tenants_are_compiled_once() -> None:

    rules = (RelabelRule(action="keep", source_labels=("n",), regex="(?i)[a-z0-9]+"),)
    tenants = {f"t{n}": LimitSettings(relabel=rules, samples_per_second=n + 1) for n in range(20)}
    policies = Policies(LimitSettings(), HaSettings(), 4, tenants)
    limits = {policies.of(tenant, 4).limits for tenant in tenants}
    assert len(limits) == 20
    assert len(policies._table.rules) == 1
    policies.replace({"t": LimitSettings(relabel=rules)})
    assert len(policies._table.rules) == 1
    policies.replace({})
    assert len(policies._table.rules) == 0
