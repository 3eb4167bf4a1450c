"""Real senders, a gateway that is restarted and killed, a log that goes away: what everybody held in the end."""

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.topic import LogRecord, Topic
from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.prometheus import FEATURES_242, FEATURES_315, PrometheusServer
from tests.e2e.samples import Samples, load
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe
from tests.senders.blocks import stored_by
from tests.senders.target import LONG, Target
from tests.senders.vmagent import VmAgent

PARTITIONS = 3
_REMOTE_WRITE_2 = "io.prometheus.write.v2.Request"


class PrometheusKind(NamedTuple):
    """One way a Prometheus sends. Debian's build of 2.42 sends no headers, so it is the default tenant."""

    peer: str
    tenant: str
    message: str = ""


PROMETHEUS = {
    "rw1": PrometheusKind("prometheus-3.15", "rw1"),
    "rw2": PrometheusKind("prometheus-3.15", "rw2", _REMOTE_WRITE_2),
    "old": PrometheusKind("prometheus-2.42", "default-tenant"),
}
VMAGENT = "vmagent"
LIMITS: dict[str, Any] = {
    "max_label_pairs": 60,
    "max_label_value_bytes": len(LONG) - 1,
}
"""Wide enough for all that is sent, but for one series of the target."""


@dataclass(frozen=True)
class Plan:
    seconds: float
    """How long is scraped."""
    calm: float = 8.0
    """Seconds between the end of one trouble and the beginning of the next."""
    limits: bool = False
    broker_away: float = 10.0
    """Seconds for which the log is gone each time."""


@dataclass
class Result:
    held: dict[str, Samples] = field(default_factory=dict)
    """By Prometheus, all it had scraped."""
    exemplars: dict[str, set[str]] = field(default_factory=dict)
    """By Prometheus, trace ids it had scraped."""
    stored: dict[str, Samples] = field(default_factory=dict)
    """By tenant, what the bucket's blocks hold."""
    turns: dict[str, int] = field(default_factory=dict)
    """By sender, scrapes that the target answered."""
    counters: dict[str, dict[str, float]] = field(default_factory=dict)
    """By sender, what it counted about remote write."""
    gateway: dict[str, float] = field(default_factory=dict)
    """The last gateway process' metrics."""
    log: list[LogRecord] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    audit: str = ""


def run(
    plan: Plan, directory: Path, peer: Callable[[str], Recipe], tell: Callable[[str], None] = lambda _: None
) -> Result:
    """`tell` hears of each trouble.

    Raises PeerError where somebody ends, or does not become quiet when all is well again.
    """
    result = Result()
    with ExitStack() as stack:
        kafka = stack.enter_context(KafkaBroker(peer("kafka-4.1"), directory / "kafka"))
        kafka.create_topic("senders", PARTITIONS)
        settings = _settings(kafka, directory / "bucket", limits=plan.limits)
        gateway = stack.enter_context(ForebayServer(directory / "gateway", settings, role="gateway"))
        consumer = stack.enter_context(ForebayServer(directory / "consumer", settings, role="consumer"))
        gateway.ready()
        consumer.ready()
        target = stack.enter_context(Target())
        url = f"{gateway.url}/api/v1/write"
        servers = {
            name: stack.enter_context(_prometheus(kind, peer, directory / name)) for name, kind in PROMETHEUS.items()
        }
        for server in servers.values():
            server.ready()
        for name, server in servers.items():
            server.configure(_scraping(name, url, {"target": target.port, "server": servers["rw1"].port}))
        agent = stack.enter_context(
            VmAgent(
                peer("victoria-metrics"),
                directory / VMAGENT,
                url,
                _vmagent_scraping(target.port),
                f"-remoteWrite.headers=X-Scope-OrgID:{VMAGENT}",
            )
        )
        _weather(plan, gateway, kafka, result, tell)
        for name, server in servers.items():
            server.configure(_scraping(name, url, {}))
        agent.configure(_vmagent_scraping(None))
        time.sleep(6)  # removed targets get their stale markers after a few intervals
        tell("waiting for the senders to have sent all")
        for server in servers.values():
            server.wait_drained()
        agent.wait_sent()
        for name, server in servers.items():
            result.held[name] = load(server.snapshot())
            result.exemplars[name] = server.trace_ids()
            result.counters[name] = server.metrics("prometheus_remote_storage_")
        result.counters[VMAGENT] = agent.metrics("vmagent_remotewrite_")
        result.turns = dict(target.turns)
        result.gateway = gateway.metrics("forebay_gateway_")
        tell("waiting for the last segments")
        consumer.wait_published()
        result.log = list(Topic(kafka.bootstrap, "senders", PARTITIONS).records())
        code, report = audit(consumer.settings_file, consumer.data, "--deep")
        result.audit = "" if code == 0 else report
    result.stored = stored_by(directory / "bucket")
    return result


def _settings(kafka: KafkaBroker, bucket: Path, *, limits: bool) -> dict[str, Any]:
    return {
        "broker": {
            "type": "kafka",
            "kafka": {"bootstrap_servers": kafka.bootstrap, "topic": "senders", "session_timeout": "6s"},
        },
        "bucket": {"type": "FILESYSTEM", "config": {"directory": str(bucket)}},
        "segment": {"interval": "15s", "grace": "2s"},
        "limits": LIMITS if limits else {},
    }


def _prometheus(kind: PrometheusKind, peer: Callable[[str], Recipe], directory: Path) -> PrometheusServer:
    features = FEATURES_315 if kind.peer == "prometheus-3.15" else FEATURES_242
    return PrometheusServer(peer(kind.peer), directory, features)


def _scraping(name: str, url: str, targets: Mapping[str, int]) -> dict[str, Any]:
    kind = PROMETHEUS[name]
    remote_write: dict[str, Any] = {
        "url": url,
        "headers": {"X-Scope-OrgID": kind.tenant},
        "send_native_histograms": True,
        "send_exemplars": True,
        "metadata_config": {"send": True, "send_interval": "5s"},
        "queue_config": {"batch_send_deadline": "1s"},
    }
    if kind.message:
        remote_write["protobuf_message"] = kind.message
    histograms = {"scrape_native_histograms": True} if kind.peer == "prometheus-3.15" else {}
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": job,
                "params": {"sender": [name]},
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                **(histograms if job == "server" else {}),
            }
            for job, port in targets.items()
        ],
        "remote_write": [remote_write],
    }


def _vmagent_scraping(port: int | None) -> dict[str, Any]:
    targets = [] if port is None else [{"targets": [f"127.0.0.1:{port}"]}]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "target", "params": {"sender": [VMAGENT]}, "static_configs": targets}],
    }


def _weather(
    plan: Plan, gateway: ForebayServer, kafka: KafkaBroker, result: Result, tell: Callable[[str], None]
) -> None:
    """Troubles one after the other, until the time is over; all is well when it returns."""

    def restart() -> None:
        gateway.stop()
        gateway.start()

    def kill() -> None:
        gateway.kill()
        gateway.start()

    def freeze_broker() -> None:
        kafka.pause()
        time.sleep(plan.broker_away)
        kafka.resume()

    def stop_broker() -> None:
        kafka.stop()
        time.sleep(plan.broker_away)
        kafka.start()

    end = time.monotonic() + plan.seconds
    for trouble in itertools.cycle((restart, freeze_broker, kill, stop_broker)):
        time.sleep(plan.calm)
        if time.monotonic() >= end and result.troubles:
            return
        tell(trouble.__name__)
        result.troubles.append(trouble.__name__)
        trouble()
        gateway.ready()
