"""Two real Prometheus servers with the same targets: one is stored, and the other once that was killed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bucket.filesystem import FilesystemBucket
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.prometheus import PrometheusServer
from tests.e2e.samples import Samples, blocks_in, load
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PREFIX = "prometheus_remote_storage_"
INTERVAL = BATCH = 1
TIMEOUT = 6
SETTINGS = {
    "broker": {"embedded": {"partitions": 2}},
    "segment": {"interval": "5s", "grace": "500ms"},
    "ha": {"tenants": "*", "failover_timeout": f"{TIMEOUT}s"},
    "self_metrics": {"enabled": False},
}
Series = dict[tuple[tuple[bytes, bytes], ...], set[int]]
"""Times by labels."""


class Replica(PrometheusServer):
    """Scrapes the same target as every other, and says which one it is."""

    def __init__(self, recipe: Recipe, directory: Path, name: str, forebay: ForebayServer) -> None:
        super().__init__(recipe, directory / name)
        self._settings = {
            "global": {
                "scrape_interval": f"{INTERVAL}s",
                "external_labels": {"cluster": "eu1", "__replica__": name},
            },
            "remote_write": [
                {"url": f"{forebay.url}/api/v1/write", "queue_config": {"batch_send_deadline": f"{BATCH}s"}}
            ],
        }
        target = {"targets": [f"127.0.0.1:{forebay.port}"]}
        self.configure(self._settings | {"scrape_configs": [{"job_name": "forebay", "static_configs": [target]}]})

    def settle(self) -> None:
        """Stops scraping, and waits until all is sent."""
        self.configure(self._settings)
        self.wait_sent()

    def wait_sent_until(self, moment: int) -> None:
        """Until samples that were scraped later than this have been sent; scraping goes on."""
        deadline = time.monotonic() + 60
        while self._metric("queue_highest_sent_timestamp_seconds") * 1000 <= moment:
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.2)

    def sent(self) -> float:
        return self._metric("samples_total")

    def _metric(self, name: str) -> float:
        return self.metrics(PREFIX)[f"{PREFIX}{name}"]


@dataclass
class Run:
    forebay: ForebayServer
    manifests: list[Manifest]
    stored: Series
    held: dict[str, Series]
    """What each server held itself; of the one that was killed, until a moment before."""
    killed: int
    sent_before_kill: dict[str, float]

    def samples(self, outcome: str) -> int:
        return sum(getattr(ledger, outcome) for each in self.manifests for ledger in each.ledger.values())


def times(samples: Samples, without: bytes = b"") -> Series:
    found: Series = {}
    for labels, at in samples:
        found.setdefault(tuple(pair for pair in labels if pair[0] != without), set()).add(at)
    return found


def latest(series: Series) -> int:
    return max(map(max, series.values()))


@pytest.fixture(scope="module")
def run(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("ha")
    recipe = peer("prometheus-3.15")
    with ForebayServer(directory / "forebay", SETTINGS) as forebay:
        forebay.ready()
        with Replica(recipe, directory, "a", forebay) as a:
            a.ready()
            time.sleep(4)  # it is heard first in every partition
            with Replica(recipe, directory, "b", forebay) as b:
                b.ready()
                time.sleep(10)
                held = {"a": times(load(a.snapshot()))}
                a.wait_sent_until(latest(held["a"]) + 1000 * (INTERVAL + BATCH))
                sent = {"a": a.sent(), "b": b.sent()}
                a.kill()
                killed = int(time.time() * 1000)
                time.sleep(TIMEOUT + 10)
                b.settle()
                held["b"] = times(load(b.snapshot()))
        forebay.wait_published()
        assert forebay.stop() == 0
    bucket = FilesystemBucket(forebay.bucket)
    store = ManifestStore(bucket)
    manifests = [manifest for chain in store.partitions() for manifest in store.chain(*chain)]
    return Run(forebay, manifests, times(load(forebay.bucket), b"cluster"), held, killed, sent)


def test_one_of_two_is_stored_and_the_rest_is_in_the_ledger(run: Run) -> None:
    code, report = audit(run.forebay.settings_file, run.forebay.data, "--deep")
    assert code == 0, report
    assert f"{run.samples('deduplicated')} deduplicated + 0 rejected" in report
    assert all(ledger.balances() for manifest in run.manifests for ledger in manifest.ledger.values())
    assert run.samples("samples") == run.samples("stored") + run.samples("deduplicated") + run.samples("duplicate")
    assert sum(map(len, run.stored.values())) == run.samples("stored")
    # Before the kill b alone was left out, and afterwards no more of it than the gap.
    assert run.samples("deduplicated") >= 0.9 * run.sent_before_kill["b"]
    assert run.samples("stored") >= 0.9 * run.sent_before_kill["a"]


def test_every_stored_sample_is_of_the_one_that_was_followed(run: Run) -> None:
    shared = run.held["a"].keys() & run.held["b"].keys() & run.stored.keys()
    assert len(shared) > 200
    last = latest(run.held["a"])
    for labels in shared:
        of_a = {at for at in run.stored[labels] if at <= last}
        assert of_a == run.held["a"][labels], labels
        assert {at for at in run.stored[labels] if at > run.killed} <= run.held["b"][labels], labels


def test_the_other_takes_over_and_the_gap_is_no_longer_than_promised(run: Run) -> None:
    behind = run.killed + 1000 * (TIMEOUT + BATCH)  # whatever of a was under way then has arrived
    for labels in run.held["a"].keys() & run.held["b"].keys() & run.stored.keys():
        assert {at for at in run.held["b"][labels] if at > behind} <= run.stored[labels], labels
    up = next(labels for labels in run.stored if (b"__name__", b"up") in labels)
    left_out = run.held["b"][up] - run.stored[up]
    assert any(at > run.killed for at in left_out)
    assert max(run.stored[up]) == max(run.held["b"][up])
    assert {replica for each in run.manifests for *_, replica in _names(each)} == {"a", "b"}


def _names(manifest: Manifest) -> list[tuple[str, str, str]]:
    return [(each.tenant, each.cluster, each.replica) for each in manifest.followed_after]


def test_no_series_names_a_replica(run: Run) -> None:
    assert all(name != b"__replica__" for labels in run.stored for name, _ in labels)
    assert blocks_in(run.forebay.bucket)
