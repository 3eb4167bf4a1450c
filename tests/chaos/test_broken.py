"""One build for each invariant that breaks it: each is caught, by a trial that the product passes."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bucket.s3_servers import S3Server, versitygw_server
from tests.chaos.cluster import Cluster
from tests.chaos.trials import CAST, TRIALS, Trial, late_manifest
from tests.chaos.verdict import judge
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def broker(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """This module's own, since it is killed."""
    with KafkaBroker(peer("kafka-4.1"), tmp_path_factory.mktemp("kafka") / "broker") as running:
        yield running


@pytest.fixture(scope="module")
def store(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path_factory.mktemp("s3")) as running:
        yield running


def verdict_of(build: str, trials: list[Trial], broker: KafkaBroker, store: S3Server, directory: Path) -> str:
    """What is wrong after these trials, one after another; empty where nothing is."""
    with Cluster(directory, broker, store, cast=CAST, seed=1, build=build) as cluster:
        cluster.send()
        for trial in trials:
            trial(cluster)
        cluster.settle()
        cluster.stop()
        stored, problems = judge(cluster, quiet=late_manifest not in trials)
        assert stored.acknowledged > 100
    return "\n".join(problems)


@pytest.mark.parametrize("name", TRIALS)
def test_a_broken_build_is_caught(name: str, broker: KafkaBroker, store: S3Server, tmp_path: Path) -> None:
    trial, told = TRIALS[name]
    verdict = verdict_of(f"tests.chaos.broken.{name}", [trial], broker, store, tmp_path)
    assert re.search(told, verdict), verdict


def test_the_product_passes_the_trials(broker: KafkaBroker, store: S3Server, tmp_path: Path) -> None:
    trials = [trial for trial, _ in TRIALS.values() if trial is not late_manifest]
    assert verdict_of("forebay", trials, broker, store, tmp_path) == ""


def test_the_product_passes_the_trial_of_two_settings(broker: KafkaBroker, store: S3Server, tmp_path: Path) -> None:
    assert verdict_of("forebay", [late_manifest], broker, store, tmp_path) == ""
