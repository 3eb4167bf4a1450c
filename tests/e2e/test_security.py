"""A real Prometheus sends over TLS with a password, and with a token and a certificate, while all of them change."""

import hashlib
import json
import os
import re
import signal
import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.bucket.certificates import Authority
from tests.e2e.forebay import ForebayServer
from tests.e2e.prometheus import FEATURES_315, PrometheusServer
from tests.e2e.samples import blocks_in
from tests.faults.client import until
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.peer("prometheus-3.15")]

TOKEN = "a-token-of-a-proxy"
PASSWORD = "a password: with all sorts of things in it"
LOST = ("failed", "dropped", "retried")
SENT = "prometheus_remote_storage_samples_total"
ACCEPTED = "forebay_web_connections_accepted_total"


class World:
    """One server; files that it reads lie in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory / "ca")
        self.authority.sign("localhost", "127.0.0.1")
        self.client = self.authority.sign("team-b")
        self.allow("alice")
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        self.write("bearer.yml", {"tokens": [{"name": "proxy", "sha256": digest, "tenants": "*"}]})

    def write(self, name: str, document: Any) -> None:
        (self.directory / name).write_text(json.dumps(document))

    def allow(self, *users: str) -> None:
        tls = {"cert_file": "ca/localhost.crt", "key_file": "ca/localhost.key"}
        clients = {"client_ca_file": "ca/authority.crt", "client_auth_type": "VerifyClientCertIfGiven"}
        known = {user: bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode() for user in users}
        self.write("web.yml", {"tls_server_config": tls | clients, "basic_auth_users": known})

    def settings(self) -> dict[str, Any]:
        return {
            "tenancy": {"users": {"alice": ["team-a"]}, "certificate_field": "commonName", "default_tenant": ""},
            "auth": {
                "bearer_file": str(self.directory / "bearer.yml"),
                "open_paths": ["/-/ready", "/-/healthy", "/metrics"],
            },
            "self_metrics": {"enabled": False},
            "segment": {"interval": "2s", "grace": "100ms"},
        }

    def senders(self, url: str) -> list[dict[str, Any]]:
        tls: dict[str, Any] = {"ca_file": str(self.authority.ca_file), "min_version": "TLS13"}
        queue = {"queue_config": {"batch_send_deadline": "500ms"}}
        certificate = {"cert_file": str(self.client.cert), "key_file": str(self.client.key)}
        user = {"basic_auth": {"username": "alice", "password": PASSWORD}, "tls_config": tls}
        proxy = {"authorization": {"credentials": TOKEN}, "tls_config": tls | certificate}
        return [queue | {"url": url, "name": "a"} | user, queue | {"url": url, "name": "b"} | proxy]


class Asker:
    """Asks the server over TLS, as the proxy whose token it has; a certificate would tie it to a tenant."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self._context = ssl.create_default_context(cafile=world.authority.ca_file)

    def get(self, path: str) -> str:
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
            text: str = answer.read().decode()
            return text

    def metric(self, name: str, labels: str = "") -> float:
        found = re.search(rf"^{name}{re.escape(labels)} (\S+)$", self.get("/metrics"), re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def published(self) -> bool:
        rows = json.loads(self.get("/api/v1/status"))["partitions"]
        return all(row["manifest_end"] == row["end_offset"] for row in rows)


def stored(bucket: Path) -> dict[str, int]:
    """Samples by tenant."""
    found: dict[str, int] = {}
    for block in blocks_in(bucket):
        meta = json.loads((block / "meta.json").read_text())
        tenant = meta["thanos"]["labels"]["tenant_id"]
        found[tenant] = found.get(tenant, 0) + meta["stats"]["numSamples"]
    return found


def settled(value: Callable[[], float]) -> bool:
    """Whether it stays what it is for a while."""
    before = value()
    time.sleep(2)
    return value() == before


def test_a_sender_notices_no_change_of_certificates_users_and_tokens(
    tmp_path: Path, peer: Callable[[str], Recipe]
) -> None:
    world = World(tmp_path)
    with (
        ForebayServer(tmp_path / "forebay", world.settings(), f"--web.config.file={tmp_path / 'web.yml'}") as forebay,
        PrometheusServer(peer("prometheus-3.15"), tmp_path / "prometheus", FEATURES_315) as prometheus,
    ):
        asker = Asker(f"https://127.0.0.1:{forebay.port}", world)
        forebay.wait_ready(f"{asker.url}/-/ready", ca_file=world.authority.ca_file)
        prometheus.ready()
        remote = {"remote_write": world.senders(f"{asker.url}/api/v1/write")}
        scrape = {"job_name": "self", "static_configs": [{"targets": [f"127.0.0.1:{prometheus.port}"]}]}
        every = {"global": {"scrape_interval": "500ms", "scrape_timeout": "400ms"}}
        prometheus.configure(every | remote | {"scrape_configs": [scrape]})

        def sent() -> float:
            return prometheus.metrics(SENT).get(SENT, 0.0)

        until(lambda: sent() > 4000, "the first samples")
        connections = asker.metric(ACCEPTED)
        for number in range(3):
            world.authority.sign("localhost", "127.0.0.1")
            world.allow("alice", f"user-{number}")
            reloads = forebay.log.read_text().count("msg=reloaded")
            os.kill(forebay.pid, signal.SIGHUP)
            until(lambda reloads=reloads: forebay.log.read_text().count("msg=reloaded") > reloads, "a reload")
            before = sent()
            until(lambda before=before: sent() > before + 2000, "samples after a reload")
        assert asker.metric(ACCEPTED) == connections + 1  # the asker's own: both senders kept theirs
        prometheus.configure(every | remote)
        until(lambda: settled(sent), "the end of samples", 60)
        until(asker.published, "blocks of all of them", 60)
        assert sum(stored(forebay.bucket).values()) == sent()
        assert set(stored(forebay.bucket)) == {"team-a", "team-b"}
        counters = prometheus.metrics("prometheus_remote_storage_samples_")
        assert [name for name, value in counters.items() if any(lost in name for lost in LOST) and value] == []
        assert asker.metric("forebay_web_refused_requests_total", '{reason="unauthorized"}') == 0
        assert forebay.stop() == 0
