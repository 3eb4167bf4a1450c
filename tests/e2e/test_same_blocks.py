"""The records of a real Kafka topic, and the very same in an embedded log: the same objects, byte for byte."""

import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from broker import embedded_file
from broker.embedded_store import EmbeddedStore
from broker.kafka_reader import KafkaReader
from broker.kafka_writer import KafkaWriter
from broker.log import LogReader, NewRecord, Record
from broker.settings import KafkaSettings
from bucket.filesystem import FilesystemBucket
from bucket.manifest import EndedBy, Manifest
from bucket.manifests import ManifestStore
from tests.e2e.forebay import ForebayServer, audit
from tests.faults.client import Client
from tests.faults.test_determinism import TENANTS, objects, request
from tests.peers.kafka import KafkaBroker

PARTITIONS = 3
SETTINGS = {
    "segment": {"interval": "1s", "grace": "200ms"},
    "external_labels": {"zone": "z", "cluster": "eu1"},
    "ha": {"tenants": ["gamma"]},
}


@pytest.fixture
def reader(kafka: KafkaBroker, topic_name: str) -> Iterator[KafkaReader]:
    kafka.create_topic(topic_name, PARTITIONS)
    reader = KafkaReader(KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=topic_name))
    yield reader
    reader.close()


def write(settings: dict[str, Any], directory: Path) -> None:
    """Through a gateway, over several slots of `segment.interval`: fresh, late, repeated, contradicting."""
    chance = random.Random(20_261)
    with ForebayServer(directory, settings, role="gateway") as gateway:
        gateway.ready()
        clients = [Client(gateway.url, tenant) for tenant in TENANTS]
        for number in range(30):
            for replica in (b"a", b"b"):
                assert clients[number % 3].post("/api/v1/write", request(chance, number, replica)).status == 204
            time.sleep(0.1)
        assert gateway.stop() == 0


async def poison(settings: KafkaSettings) -> None:
    """What no gateway writes, and any other producer may."""
    writer = KafkaWriter(settings)
    version = (("forebay-version", b"1"),)
    await writer.append(
        [
            NewRecord(0, b"alpha", b"\xff\xff\xff", version),
            NewRecord(1, b"beta", b"", version),
            NewRecord(2, b"\xff", b"tenant", version),
        ]
    )
    await writer.close()


def read_all(log: LogReader) -> list[Record]:
    """By append time, as an embedded log must get them; by offset within a partition."""
    records: list[Record] = []
    for partition in range(log.partitions):
        offset = log.start_offset(partition)
        while batch := log.read(partition, offset, 1 << 20):
            records += batch
            offset = batch[-1].offset + 1
    return sorted(records, key=lambda record: (record.append_time, record.partition, record.offset))


def embed(records: list[Record], directory: Path, log_id: str | None) -> None:
    """The same offsets and append times; `log_id` None leaves the embedded log its own."""
    directory.mkdir(parents=True)
    store = EmbeddedStore(directory, PARTITIONS)
    for record in records:
        store.append([NewRecord(record.partition, record.key, record.value, record.headers)], record.append_time)
    store.close()
    if log_id is not None:
        with sqlite3.connect(directory / embedded_file.DATABASE) as db:
            db.execute("UPDATE meta SET value = ? WHERE name = 'log_id'", (log_id,))
        db.close()


def build(settings: dict[str, Any], directory: Path) -> Path:
    """The bucket of a consumer that has published all of the log."""
    with ForebayServer(directory, settings, role="consumer") as consumer:
        consumer.ready()
        consumer.wait_published()
        code, report = audit(consumer.settings_file, consumer.data, "--deep")
        assert code == 0, report
        assert "nothing to audit" not in report
        assert consumer.stop() == 0
    return consumer.bucket


def manifests(bucket: Path, log_id: str) -> list[Manifest]:
    store = ManifestStore(FilesystemBucket(bucket))
    return [manifest for partition in range(PARTITIONS) for manifest in store.chain(log_id, partition)]


def nameless(manifest: Manifest) -> Manifest:
    """Without what follows from the log id: its own place, the random part of ULIDs, and meta.json that holds both."""
    blocks = tuple(
        replace(
            block,
            ulid=block.ulid[:10],
            files=tuple(file for file in block.files if file.path != "meta.json"),
        )
        for block in manifest.blocks
    )
    ended_by: EndedBy = "mark" if manifest.ended_by == "idle" else manifest.ended_by  # two builders may differ in that
    return replace(manifest, log_id="", ended_by=ended_by, blocks=blocks)


@pytest.mark.slow
async def test_one_topic_and_its_copy_give_the_same_bytes(
    kafka: KafkaBroker, topic_name: str, reader: KafkaReader, tmp_path: Path
) -> None:
    own = KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=topic_name)
    section = {"bootstrap_servers": own.bootstrap_servers, "topic": own.topic}
    on_kafka = SETTINGS | {"broker": {"type": "kafka", "kafka": section}, "consumer": {"group": topic_name}}
    embedded = SETTINGS | {"broker": {"embedded": {"partitions": PARTITIONS}}}
    write(on_kafka, tmp_path / "gateway")
    await poison(own)
    records = read_all(reader)
    embed(records, tmp_path / "same-id" / "data" / "log", reader.log_id)
    embed(records, tmp_path / "own-id" / "data" / "log", None)

    theirs = build(on_kafka, tmp_path / "kafka")
    ours = build(embedded, tmp_path / "same-id")
    assert objects(theirs) == objects(ours)

    chain = manifests(theirs, reader.log_id)
    assert len(chain) >= 3 * PARTITIONS
    assert {manifest.ended_by for manifest in chain} >= {"mark"}
    assert len({block.tenant for manifest in chain for block in manifest.blocks}) == len(TENANTS)
    assert [len(manifest.quarantined) for manifest in chain if manifest.quarantined]
    ledgers = [ledger for manifest in chain for ledger in manifest.ledger.values()]
    assert sum(ledger.duplicate for ledger in ledgers) > 0
    assert sum(ledger.deduplicated for ledger in ledgers) > 0
    assert sum(sum(ledger.rejected.values()) for ledger in ledgers) > 0

    renamed = build(embedded, tmp_path / "own-id")
    (log_id,) = {log_id for log_id, _ in ManifestStore(FilesystemBucket(renamed)).partitions()}
    assert log_id != reader.log_id
    assert [nameless(manifest) for manifest in manifests(renamed, log_id)] == [nameless(each) for each in chain]
    names, others = (
        {block.ulid for each in manifests(bucket, name) for block in each.blocks}
        for bucket, name in ((theirs, reader.log_id), (renamed, log_id))
    )
    assert not names & others
