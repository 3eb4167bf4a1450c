"""A slice of `make chaos`, blocks compared byte by byte, and a shorter one with a compactor at work."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bucket.s3_servers import S3Server, versitygw_server
from tests.chaos.cluster import Cast
from tests.chaos.schedule import SHORT, SLICE, schedule
from tests.chaos.storm import storm
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def broker(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[KafkaBroker]:
    """One of its own, since it is killed."""
    with KafkaBroker(peer("kafka-4.1"), tmp_path / "kafka") as running:
        yield running


@pytest.fixture
def store(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path / "s3") as running:
        yield running


def test_a_storm_changes_no_byte(broker: KafkaBroker, store: S3Server, tmp_path: Path) -> None:
    cast, seed = Cast(), 4
    outcome = storm(tmp_path / "storm", broker, store, cast=cast, events=schedule(seed, cast, SLICE), seed=seed)
    assert outcome.problems == []
    assert outcome.stored.acknowledged > 1000
    assert outcome.stored.manifests > 10
    assert outcome.stored.quarantined > 0
    assert outcome.seen["publish failures"] > 0


def test_a_storm_of_labels_once_while_blocks_are_merged(broker: KafkaBroker, store: S3Server, tmp_path: Path) -> None:
    cast, seed = Cast(compactors=1, record_version=2), 36
    events = schedule(seed, cast, SHORT)
    assert {"compactor killed", "compactor frozen"} <= {event.kind for event in events}
    outcome = storm(tmp_path / "storm", broker, store, cast=cast, events=events, seed=seed)
    assert outcome.problems == []
    assert outcome.stored.acknowledged > 1000
    assert outcome.seen["windows compacted"] > 0
