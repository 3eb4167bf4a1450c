"""The reference pages agree with the code: every setting, flag and metric is documented, and nothing else is."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from compactor.metrics import CompactorMetrics
from consumers.metrics import ConsumerMetrics
from forebay.connections import ConnectionMetrics
from forebay.flags import make_parser
from forebay.registry import make_registry
from forebay.reload import ReloadMetrics
from forebay.settings import Settings, effective
from forebay.supervisor import SupervisorMetrics
from forebay.web_access import AccessMetrics
from gateway.metrics import GatewayMetrics
from gateway.reasons import GATEWAY_REASONS
from query.metrics import QueryMetrics

DOCS = Path(__file__).parent.parent.parent / "docs"
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SETTING = re.compile(r"^\| `([a-z_]+(?:\.[a-z_]+)*)` \| ([^|]*) \|", re.MULTILINE)
_METRIC = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", re.MULTILINE)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    else:
        yield path, value


def shown(value: Any) -> str:
    if value is None:
        return "none"
    if value == "":
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`"


def pages() -> list[Path]:
    return [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]


def missing(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    targets = (target.partition("#")[0] for target in _LINK.findall(page.read_text()) if "://" not in target)
    return [target for target in targets if target and not (page.parent / target).exists()]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_links_of_the_docs_lead_somewhere(page: Path) -> None:
    assert missing(page) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](page.md#part), [b](https://prometheus.io), [c](#part), [d](gone.md), [e](docs/gone.md#part)")
    assert missing(page) == ["gone.md", "docs/gone.md"]


def test_every_page_can_be_found_from_the_readme() -> None:
    linked = set(_LINK.findall((DOCS.parent / "README.md").read_text()))
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= linked


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(_SETTING.findall((DOCS / "configuration.md").read_text()))
    assert documented == {path: shown(value) for path, value in leaves(effective(Settings()))}


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)


def test_every_flag_is_documented() -> None:
    page = (DOCS / "configuration.md").read_text()
    rows = page.partition("## Flags")[2].partition("## broker")[0]
    assert set(re.findall(r"(--[a-z][a-z.-]*)`", rows)) == set(options(make_parser()))


def every_metric() -> CollectorRegistry:
    registry = make_registry("all-in-one")
    GatewayMetrics(
        registry,
        log_id="log",
        reasons=GATEWAY_REASONS,
        in_flight_bytes=lambda: 0,
        in_flight_requests=lambda: 0,
        backlog_bytes=lambda: 0,
        partitions=lambda: 4,
    )
    ConsumerMetrics(registry)
    CompactorMetrics(registry)
    QueryMetrics(registry)
    ReloadMetrics(registry)
    ConnectionMetrics(registry)
    SupervisorMetrics(registry)
    AccessMetrics(registry)
    return registry


def exposed(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else f"{name}_info" if kind == "info" else name


def rows(registry: CollectorRegistry) -> dict[str, tuple[str, str, str]]:
    """Type, labels and help of every metric of ours, by the name that it is asked for."""
    found = {}
    for family in registry.collect():
        if family.name.startswith("forebay_"):
            labels = getattr(registry._names_to_collectors[family.name], "_labelnames", ())
            names = ", ".join(f"`{label}`" for label in labels)
            found[exposed(family.name, family.type)] = (family.type, names, family.documentation)
    return found


def test_every_metric_is_documented_with_type_labels_and_help() -> None:
    documented = {
        name: (kind, labels.strip(), text)
        for name, kind, labels, text in _METRIC.findall((DOCS / "metrics.md").read_text())
    }
    assert documented == rows(every_metric())


def test_every_metric_has_a_help_text_and_a_unit_of_its_base() -> None:
    for family in every_metric().collect():
        assert len(family.documentation) > 5, family.name
        assert not re.search(r"_(ms|milliseconds|kb|mb|minutes)$", family.name)
