"""Real Prometheus servers scrape real targets and send; what they hold is what the bucket holds."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.prometheus import FEATURES_242, FEATURES_315, PrometheusServer
from tests.e2e.samples import STALE_BITS, Samples, blocks_in, load
from tests.peers.process import Process, free_port
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SENDERS = {"prometheus-3.15": "sender-315", "prometheus-2.42": "default-tenant"}
"""Tenants by sender; Debian's build of 2.42 does not send the headers that its remote_write is given."""

OVER_2 = "sender-315-over-2"
"""The tenant that 3.15 sends the same to, over remote-write 2.0."""

QUERIES = (
    "up",
    "sum by (job) (scrape_samples_scraped)",
    "process_cpu_seconds_total",
    "histogram_count(prometheus_http_request_duration_seconds)",
    "histogram_sum(prometheus_http_request_duration_seconds)",
    "{__name__=~'node_(load1|memory_MemFree_bytes)'}",
    "count({__name__!=''})",
)
OF_ONE_ENGINE = (
    "rate(process_cpu_seconds_total[20s])",
    "histogram_quantile(0.9, rate(prometheus_http_request_duration_seconds[20s]))",
)
"""Asked only where both sides are one version: 3.x leaves a range's left end out, and interpolates in another way."""


def remote_write(forebay: ForebayServer, version: str) -> list[dict[str, Any]]:
    def section(tenant: str) -> dict[str, Any]:
        return {
            "name": tenant,
            "url": f"{forebay.url}/api/v1/write",
            "headers": {"X-Scope-OrgID": tenant},
            "send_native_histograms": True,
            "queue_config": {"batch_send_deadline": "1s"},
        }

    sections = [section(SENDERS[version])]
    if version == "prometheus-3.15":
        sections.append(section(OVER_2) | {"protobuf_message": "io.prometheus.write.v2.Request"})
    return sections


def scrapes(version: str, targets: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "job_name": job,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            **({"scrape_native_histograms": True} if version == "prometheus-3.15" else {}),
        }
        for job, port in targets.items()
    ]


@dataclass
class Run:
    """One finished run: what each sender held, and where everything lies."""

    forebay: ForebayServer
    held: dict[str, Samples]
    snapshots: dict[str, Path]
    while_open: dict[str, tuple[dict[str, object], dict[str, object]]]
    began: float
    ended: float


def answers(server: PrometheusServer, start: float, end: float, *more: str) -> dict[str, object]:
    return {query: server.query_range(query, start, end, 5) for query in (*QUERIES, *more)}


def reader_of(peer: Callable[[str], Recipe], directory: Path, url: str, tenant: str) -> PrometheusServer:
    """A Prometheus that holds nothing itself and reads Forebay by remote read."""
    reader = PrometheusServer(peer("prometheus-3.15"), directory)
    reader.configure(
        {
            "remote_read": [
                {
                    "url": f"{url}/api/v1/read",
                    "read_recent": True,
                    "headers": {"X-Scope-OrgID": tenant},
                }
            ]
        }
    )
    return reader


@pytest.fixture(scope="module")
def run(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    base = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        forebay = ForebayServer(
            base / "forebay",
            {"segment": {"interval": "20s", "grace": "1s"}, "self_metrics": {"enabled": False}},
        )
        stack.enter_context(forebay)
        node_port = free_port()
        node = Process(
            [
                peer("node-exporter").program("node-exporter"),
                f"--web.listen-address=127.0.0.1:{node_port}",
                "--collector.disable-defaults",
                "--collector.loadavg",
                "--collector.meminfo",
                "--collector.cpu",
            ],
            base / "node.log",
        )
        stack.enter_context(node)
        forebay.ready()
        senders: dict[str, PrometheusServer] = {}
        for version in SENDERS:
            features = FEATURES_315 if version == "prometheus-3.15" else FEATURES_242
            senders[version] = PrometheusServer(peer(version), base / version, features)
            stack.enter_context(senders[version])
            senders[version].ready()
        began = time.time()
        settings: dict[str, Any] = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}}
        targets = {
            "forebay": forebay.port,
            "node": node_port,
            **{tenant: senders[version].port for version, tenant in SENDERS.items()},
        }
        for version, sender in senders.items():
            sender.configure(
                settings | {"scrape_configs": scrapes(version, targets), "remote_write": remote_write(forebay, version)}
            )
        time.sleep(25)
        node.kill()  # its series go stale in the middle of the run
        time.sleep(8)
        while_open = {}
        for version, tenant in SENDERS.items():
            with reader_of(peer, base / f"reader-{tenant}", forebay.url, tenant) as reader:
                reader.ready()
                end = time.time() - 5  # what was scraped by then has been sent
                while_open[version] = (answers(senders[version], began, end), answers(reader, began, end))
        for version, sender in senders.items():
            sender.configure(settings | {"remote_write": remote_write(forebay, version)})
        time.sleep(6)  # removed targets get their stale markers after a few intervals
        snapshots = {}
        for version, sender in senders.items():
            sender.wait_sent()
            snapshots[version] = sender.snapshot()
        ended = time.time()
        forebay.wait_published()
        held = {version: load(path) for version, path in snapshots.items()}
        yield Run(forebay, held, snapshots, while_open, began, ended)


def tenant_samples(run: Run, tenant: str) -> Samples:
    """What the bucket's blocks hold of a tenant, each block checked to be of one."""
    found: Samples = {}
    for block in blocks_in(run.forebay.bucket):
        meta = json.loads((block / "meta.json").read_text())
        if meta["thanos"]["labels"]["tenant_id"] == tenant:
            parent = run.forebay.bucket.parent / "one" / block.name
            parent.mkdir(parents=True, exist_ok=True)
            if not (parent / block.name).exists():
                (parent / block.name).symlink_to(block)
            for key, values in load(parent).items():
                found.setdefault(key, []).extend(values)
    return found


@pytest.mark.parametrize(("version", "tenant"), [*SENDERS.items(), ("prometheus-3.15", OVER_2)])
def test_the_bucket_holds_what_the_sender_holds(run: Run, version: str, tenant: str) -> None:
    held = run.held[version]
    stored = tenant_samples(run, tenant)
    assert len(held) > 10_000
    assert sum(values == [STALE_BITS] for values in held.values()) > 100
    assert any(isinstance(values[0], tuple) for values in held.values()), "no native histogram was scraped"
    assert held.keys() - stored.keys() == set()
    assert stored.keys() - held.keys() == set()
    assert {key: (held[key], stored[key]) for key in held if held[key] != stored[key]} == {}


def test_promtool_accepts_every_block(run: Run, peer: Callable[[str], Recipe]) -> None:
    blocks = blocks_in(run.forebay.bucket)
    assert len(blocks) >= 8
    for version in SENDERS:
        promtool = peer(version).program("promtool")
        for block in blocks:
            subprocess.run(
                [promtool, "tsdb", "analyze", "--extended", run.forebay.bucket, block.name],
                check=True,
                capture_output=True,
            )


@pytest.mark.parametrize("version", SENDERS)
def test_reading_while_segments_are_open(run: Run, version: str) -> None:
    of_sender, of_reader = run.while_open[version]
    assert of_sender == of_reader
    assert of_sender["up"]


@pytest.mark.parametrize("version", SENDERS)
def test_reading_after(run: Run, peer: Callable[[str], Recipe], tmp_path: Path, version: str) -> None:
    tenant = SENDERS[version]
    with (
        holder(peer("prometheus-3.15"), tmp_path / "sender", run.snapshots[version]) as sender,
        reader_of(peer, tmp_path / "reader", run.forebay.url, tenant) as reader,
    ):
        sender.ready()
        reader.ready()
        assert answers(reader, run.began, run.ended, *OF_ONE_ENGINE) == answers(
            sender, run.began, run.ended, *OF_ONE_ENGINE
        )


@pytest.mark.parametrize("version", SENDERS)
def test_prometheus_on_the_blocks(run: Run, peer: Callable[[str], Recipe], tmp_path: Path, version: str) -> None:
    """A Prometheus whose data directory is the tenant's blocks answers as the sender does."""
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    for block in blocks_in(run.forebay.bucket):
        meta = json.loads((block / "meta.json").read_text())
        if meta["thanos"]["labels"]["tenant_id"] == SENDERS[version]:
            subprocess.run(["cp", "-r", block, blocks / block.name], check=True)
    with (
        holder(peer(version), tmp_path / "sender", run.snapshots[version]) as sender,
        holder(peer(version), tmp_path / "holder", blocks) as reader,
    ):
        sender.ready()
        reader.ready()
        assert answers(reader, run.began, run.ended, *OF_ONE_ENGINE) == answers(
            sender, run.began, run.ended, *OF_ONE_ENGINE
        )


def holder(recipe: Recipe, directory: Path, blocks: Path) -> PrometheusServer:
    """A Prometheus started on a copy of these blocks, scraping nothing."""
    features = FEATURES_315 if recipe.directory == "prometheus-3.15" else FEATURES_242
    server = PrometheusServer(recipe, directory, features, "--storage.tsdb.retention.time=10y")
    subprocess.run(["cp", "-r", blocks, server.data], check=True)
    return server


def test_audit_passes(run: Run) -> None:
    code, output = audit(run.forebay.settings_file, run.forebay.data, "--deep")
    assert code == 0, output
