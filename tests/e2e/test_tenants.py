"""Shards and tenants named by a label, through the whole of Forebay: everything is read back, by whom it belongs to."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.samples import Samples
from tests.faults.client import Client, now_ms, snappy, until
from tests.wire.messages import WriteRequest
from wire.hashing import shard_of

SETTINGS: dict[str, Any] = {
    "segment": {"interval": "1s", "grace": "100ms"},
    "self_metrics": {"enabled": False},
    "overrides_file": "overrides.yaml",
}


def server(directory: Path, overrides: dict[str, Any], **settings: Any) -> ForebayServer:
    (directory / "overrides.yaml").write_text(json.dumps({"tenants": overrides}))
    return ForebayServer(directory, SETTINGS | settings)


def written(role: ForebayServer) -> set[int]:
    """Partitions that hold records."""
    return {row["partition"] for row in role.status()["partitions"] if row["end_offset"]}


def reads(client: Client, promised: Samples) -> bool:
    return client.read(__name__="faults") == promised


def test_a_tenants_shard_grows_with_the_log_and_all_of_it_is_read(tmp_path: Path) -> None:
    promised: Samples = {}
    for partitions in (6, 24):
        shard = set(shard_of(b"team-a", 3, partitions))
        with server(tmp_path, {"team-a": {"shard_size": 3}}, broker={"embedded": {"partitions": partitions}}) as role:
            role.ready()
            before = written(role)
            client = Client(role.url, "team-a")
            assert client.send(series=200).status == 204
            promised |= client.promised
            assert written(role) - before <= shard
            assert written(role) == before | shard
            until(partial(reads, client, promised), "the read of what is fresh")
            role.wait_published()
            assert client.read(__name__="faults") == promised
            code, report = audit(role.settings_file, role.data, "--deep")
            assert code == 0, report
    assert set(shard_of(b"team-a", 3, 6)) != shard  # it has grown into new partitions


def test_series_are_read_by_the_tenant_that_they_name(tmp_path: Path) -> None:
    teams, at = [b"red", b"green", b""], now_ms()
    request = WriteRequest()
    for number in range(60):
        entry = request.timeseries.add(samples=[{"value": number, "timestamp": at}])
        for name, value in ((b"__name__", b"faults"), (b"n", b"%02d" % number), (b"team", teams[number % 3])):
            if value:
                entry.labels.add(name=name, value=value)
    with server(tmp_path, {"green": {"shard_size": 1}}, tenancy={"split_label": "team"}) as role:
        role.ready()
        assert Client(role.url, "own").post("/api/v1/write", snappy(request.SerializeToString())).status == 204
        for published in (False, True):
            if published:
                role.wait_published()
            for place, tenant in enumerate(("red", "green", "own")):
                client = Client(role.url, tenant)
                found = until(partial(client.read, __name__="faults"), "the read")
                assert {int(dict(labels)[b"n"]) for labels, _ in found} == set(range(place, 60, 3))
                assert all(len(labels) == 2 for labels, _ in found)


def test_pairs_of_the_tenants_that_say_so_are_stored_once(tmp_path: Path) -> None:
    at = now_ms()
    with server(tmp_path, {"pairs": {"ha": True}}, limits={"ha": False}) as role:
        role.ready()
        for tenant in ("pairs", "singles"):
            for replica in (b"a", b"b"):
                request = WriteRequest()
                entry = request.timeseries.add(samples=[{"value": 1, "timestamp": at}])
                for name, value in ((b"__name__", b"up"), (b"__replica__", replica), (b"cluster", b"eu1")):
                    entry.labels.add(name=name, value=value)
                answer = Client(role.url, tenant).post("/api/v1/write", snappy(request.SerializeToString()))
                assert answer.status == 204
        role.wait_published()
        pairs, singles = (Client(role.url, tenant).read(__name__="up") for tenant in ("pairs", "singles"))
        assert [labels for labels, _ in pairs] == [((b"__name__", b"up"), (b"cluster", b"eu1"))]
        assert len(singles) == 2
        code, report = audit(role.settings_file, role.data, "--deep", "--json")
        assert code == 0, report
        assert '"deduplicated": 1' in report
