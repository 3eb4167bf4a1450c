import json

import pytest

from tsdb.errors import CorruptBlock
from tsdb.meta import Compaction, Downsample, File, Hash, IndexStats, Meta, Stats, Thanos, decode

ULID = "01HF7Z0000000000000000000A"
MINIMAL = {
    "ulid": ULID,
    "minTime": 1700006400000,
    "maxTime": 1700013600000,
    "stats": {"numSamples": 6, "numSeries": 2, "numChunks": 3},
    "compaction": {"level": 1, "sources": [ULID]},
    "version": 1,
    "thanos": {
        "labels": {"cluster": "eu1", "replica": "0"},
        "downsample": {"resolution": 0},
        "source": "receive",
        "version": 1,
        "segment_files": ["000001"],
        "files": [
            {"rel_path": "chunks/000001", "size_bytes": 86},
            {"rel_path": "index", "size_bytes": 281, "hash": {"hashFunc": "SHA256", "value": "ab"}},
            {"rel_path": "meta.json"},
        ],
        "index_stats": {"series_max_size": 25},
        "extensions": {"forebay": {"partition": 3}},
        "upload_time": "2023-11-15T00:00:00Z",
    },
}
META = Meta(
    ulid=ULID,
    min_time=1700006400000,
    max_time=1700013600000,
    stats=Stats(num_samples=6, num_series=2, num_chunks=3),
    compaction=Compaction(level=1, sources=(ULID,)),
    version=1,
    thanos=Thanos(
        labels={"replica": "0", "cluster": "eu1"},
        downsample=Downsample(0),
        source="receive",
        version=1,
        segment_files=("000001",),
        files=(File("chunks/000001", 86), File("index", 281, Hash("SHA256", "ab")), File("meta.json")),
        index_stats=IndexStats(series_max_size=25),
        extensions={"forebay": {"partition": 3}},
        upload_time="2023-11-15T00:00:00Z",
    ),
)


def test_it_is_written_with_the_keys_of_prometheus_and_thanos_in_one_canonical_form() -> None:
    assert META.encode() == json.dumps(MINIMAL, indent="\t").encode() + b"\n"


def test_what_was_encoded_decodes() -> None:
    assert decode(META.encode()) == META
    assert decode(META.encode()).labels == {"cluster": "eu1", "replica": "0"}


def test_a_meta_of_prometheus_alone_decodes_and_unknown_keys_are_passed_over() -> None:
    foreign = {key: value for key, value in MINIMAL.items() if key != "thanos"} | {"later": [1]}
    meta = decode(json.dumps(foreign).encode())
    assert meta.thanos is None
    assert meta.labels == {}
    assert "thanos" not in json.loads(meta.encode())


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"ulid": "../../etc"}, {"minTime": 1700013600001}, {"minTime": "0"}, {"thanos": {"version": 2}}],
)
def test_what_is_no_meta_of_version_1_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CorruptBlock, match=r"meta\.json"):
        decode(json.dumps(MINIMAL | changes).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"ulid": "\xff"}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptBlock, match=r"meta\.json"):
        decode(data)
