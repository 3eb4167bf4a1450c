"""`forebay quarantine` over real buckets and a real log."""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from broker.embedded import EmbeddedWriter
from broker.log import Appended, Headers, LogUnavailable, NewRecord, Record
from broker.open import open_reader, open_writer
from broker.quarantine import QuarantinedRecord
from broker.record import Replica, new_headers
from broker.settings import BrokerSettings, CreateTopic, EmbeddedSettings, KafkaSettings
from bucket.faulty import Crash, CrashAtWrite, FaultyBucket
from bucket.filesystem import FilesystemBucket
from consumers.quarantine import BucketQuarantine
from consumers.recipe import make_recipe
from consumers.settings import BoundSettings, SegmentSettings
from consumers.verdict import judge
from forebay import quarantine, quarantine_replay
from forebay.clock import SystemClock
from forebay.flags import parse_flags
from forebay.quarantine_show import hexdump
from forebay.settings import Settings
from tests.consumers.head_oracle import Entry, bits_of, named, record
from tests.consumers.records_v2 import of_version_2
from tests.forebay.server import ROOT, Role, run
from tests.forebay.test_all_in_one import eventually
from tests.peers.kafka import KafkaBroker
from wire.hashing import tenant_seed

NOW = int(time.time() * 1000)
DAY = 86_400_000
LOG = "0123456789abcdef"
SOUND = record([Entry(named(n="7"), [(NOW, bits_of(7.0))])])
OLD = record([Entry(named(n="8"), [(NOW - 30 * DAY, bits_of(8.0))])])
MIXED = record([Entry(named(n="9"), [(NOW - 30 * DAY, bits_of(1.0)), (NOW, bits_of(2.0))])])
GARBAGE = b"\xff\xffgarbage \x1b[31m"
APPENDED = 1_763_736_000_123


class Desk:
    """A data directory with a quarantine and a log, and the command on it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = directory
        self.capsys = capsys
        self.quarantine = BucketQuarantine(FilesystemBucket(directory / "bucket"))

    def put(
        self,
        partition: int,
        offset: int,
        value: bytes,
        *,
        key: bytes = b"team-a",
        headers: Headers = new_headers(),  # noqa: B008 - immutable
        reason: str = "could not be read then",
        log_id: str = LOG,
        at: int = APPENDED,
    ) -> QuarantinedRecord:
        poison = QuarantinedRecord.of(log_id, Record(partition, offset, at, key, value, headers), reason)
        self.quarantine.put(poison)
        return poison

    def __call__(self, action: str, *arguments: str, settings: Settings | None = None) -> tuple[int, str, str]:
        flags = parse_flags(["quarantine", action, f"--data.dir={self.data}", *arguments])
        code = quarantine.run(flags, settings or Settings())
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def make_log(self) -> EmbeddedWriter:
        return EmbeddedWriter(EmbeddedSettings(), self.data / "log", SystemClock())

    def empty_log(self) -> None:
        asyncio.run(self.make_log().close())

    def in_log(self, partition: int) -> list[Record]:
        reader = open_reader(BrokerSettings(), self.data / "log")
        try:
            return reader.read(partition, 0, 1 << 20)
        finally:
            reader.close()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_list_shows_every_record_and_filters(desk: Desk) -> None:
    desk.put(2, 41, GARBAGE, reason="not protobuf")
    desk.put(2, 7, b"")
    desk.put(10, 3, SOUND, key=b"team-b\x1b[31m", log_id="f" * 32)
    code, text, _ = desk("list")
    lines = text.splitlines()
    assert code == 0
    assert lines[0].split() == ["id", "partition", "offset", "time", "tenant", "bytes", "reason"]
    assert [line.split()[0] for line in lines[1:]] == ["01234567/2/7", "01234567/2/41", "ffffffff/10/3"]
    assert "2025-11-21T14:40:00.123Z  team-a" in lines[2]
    assert "\x1b" not in text
    for arguments, expected in (
        (["--partition=10"], ["3"]),
        (["--partition=10", "--partition=2", "--tenant=team-a"], ["7", "41"]),
        (["--reason=proto"], ["41"]),
        (["--tenant=nobody"], []),
    ):
        rows = json.loads(desk("list", "--json", *arguments)[1])
        assert [str(row["offset"]) for row in rows] == expected
    assert desk("list", "--tenant=nobody")[1].startswith("nothing in the quarantine matches: filesystem directory=")


def test_show_says_what_the_decoder_says_now(desk: Desk) -> None:
    desk.put(2, 41, GARBAGE)
    desk.put(2, 42, SOUND)
    code, text, _ = desk("show", "2/41")
    assert code == 0
    fields = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    assert (fields["log_id"], fields["offset"], fields["tenant"]) == (LOG, "41", "team-a")
    assert fields["headers"] == "forebay-version=1"
    assert fields["now"].startswith("cannot be decoded: ")
    assert fields["00000000"].endswith("|..garbage .[31m|")
    document = json.loads(desk("show", "0123/2/42", "--json")[1])
    assert document["now"] == "can be decoded: samples=1 exemplars=0 metadata=0"
    assert base64.b64decode(document["value"]) == SOUND


def test_show_gives_the_value_away(desk: Desk, tmp_path: Path) -> None:
    desk.put(2, 41, GARBAGE)
    to_stdout = [sys.executable, "-m", "forebay", "quarantine", "show", "2/41", "--raw=-", f"--data.dir={desk.data}"]
    assert subprocess.run(to_stdout, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout == GARBAGE
    assert desk("show", "2/41", f"--raw={tmp_path / 'value'}") == (0, "", "")
    assert (tmp_path / "value").read_bytes() == GARBAGE
    code, _, error = desk("show", "2/41", f"--raw={tmp_path / 'no' / 'value'}")
    assert (code, "value cannot be written" in error) == (1, True)


def test_hexdump_stops_and_says_how_much_is_left() -> None:
    lines = list(hexdump(bytes(range(256)) * 2))
    assert lines[2] == "00000020  20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f  | !\"#$%&'()*+,-./|"
    assert (len(lines), lines[-1]) == (17, "... 256 more bytes: --raw FILE writes all")
    assert list(hexdump(b"")) == []
    assert list(hexdump(b"ab")) == [f"00000000  {'61 62':<48} |ab|"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2/42", "no such record"),
        ("abc/2/41", "no such record"),
        ("1", "not the id of a record"),
        ("2/x", "not the id of a record"),
        ("a/b/2/41", "not the id of a record"),
        ("2/41", "more than one log has such a record"),
    ],
)
def test_an_id_that_names_no_one_record_is_1(desk: Desk, text: str, said: str) -> None:
    desk.put(2, 41, GARBAGE)
    desk.put(2, 41, GARBAGE, log_id="0" * 16)
    for action in ("show", "replay", "drop"):
        code, out, error = desk(action, text)
        assert (code, out) == (1, "")
        assert said in error
        assert "hint: " in error
    assert desk("drop", "0000/2/41")[0] == 0


def test_a_topics_id_that_begins_like_a_flag_can_be_named(desk: Desk) -> None:
    desk.put(2, 41, GARBAGE, log_id="-_aZ09-mQx6TNl0lkOyJsw")
    (row,) = json.loads(desk("list", "--json")[1])
    assert (row["id"], row["log_id"]) == ("_aZ09-mQ/2/41", "-_aZ09-mQx6TNl0lkOyJsw")
    assert desk("show", row["id"])[0] == 0
    assert desk("drop", row["id"])[1].startswith("dropped _aZ09-mQ/2/41\n")


def test_drop_wants_to_know_what(desk: Desk) -> None:
    desk.put(2, 41, GARBAGE)
    for arguments in ([], ["2/41", "--all", "--yes"], ["--all"], ["--tenant=team-a"]):
        code, out, error = desk("drop", *arguments)
        assert (code, out) == (2, ""), arguments
        assert error.startswith("forebay: quarantine: ")
    assert desk("replay", "--tenant=team-a")[0] == 2
    assert len(list(desk.quarantine.list())) == 1


def test_drop_leaves_what_was_not_meant(desk: Desk) -> None:
    for offset in range(5):
        desk.put(2, offset, GARBAGE, key=b"a" if offset % 2 else b"b")
    assert desk("drop", "2/0", "2/4")[:2] == (0, "dropped 01234567/2/0\ndropped 01234567/2/4\n2 dropped\n")
    assert desk("drop", "--all", "--yes", "--tenant=a")[1].splitlines()[-1] == "2 dropped"
    assert [each.offset for each in desk.quarantine.list()] == [2]
    settled = json.loads((desk.data / f"bucket/forebay/quarantine/{LOG}/2/{4:020}.dropped.json").read_text())
    assert (settled["outcome"], settled["reason"]) == ("dropped", "could not be read then")


def test_a_record_that_cannot_be_read_is_listed_and_can_be_dropped(desk: Desk) -> None:
    desk.put(2, 41, GARBAGE)
    path = desk.data / f"bucket/forebay/quarantine/{LOG}/2/{41:020}.json"
    path.write_bytes(b"{")
    assert "not a quarantined record" in desk("list")[1]
    code, _, error = desk("show", "2/41")
    assert (code, "not a quarantined record" in error) == (1, True)
    assert desk("replay", "2/41")[0] == 1
    assert desk("drop", "2/41")[0] == 0
    assert not path.exists()


def test_a_bucket_that_is_not_there_is_3(desk: Desk) -> None:
    for action, *arguments in (["list"], ["show", "2/41"], ["replay", "--all"], ["drop", "--all", "--yes"]):
        code, out, error = desk(action, *arguments)
        assert (code, out) == (3, "")
        assert "there is no bucket" in error
    assert not (desk.data / "bucket").exists()


def test_replay_needs_a_log_and_makes_none(desk: Desk) -> None:
    desk.put(2, 41, SOUND)
    code, _, error = desk("replay", "--all")
    assert (code, "there is no log yet" in error) == (3, True)
    assert not (desk.data / "log").exists()
    assert desk("replay", "--all", "--dry-run")[0] == 0


def test_replay_beside_the_logs_writer_says_what_to_do(desk: Desk) -> None:
    desk.put(2, 41, SOUND)
    writer = desk.make_log()
    try:
        code, _, error = desk("replay", "--all")
    finally:
        asyncio.run(writer.close())
    assert code == 3
    assert "another process writes to this log" in error
    assert "hint: stop process" in error
    assert len(list(desk.quarantine.list())) == 1


def test_replay_appends_what_is_sound_and_leaves_the_rest(desk: Desk) -> None:
    desk.empty_log()
    desk.put(2, 40, SOUND, headers=(*new_headers(Replica("c", "a")), ("other", b"1")))
    desk.put(2, 41, GARBAGE)
    desk.put(3, 42, SOUND, headers=())
    desk.put(6, 43, SOUND)  # the log has four partitions
    code, text, _ = desk("replay", "--all", "--dry-run")
    assert (code, text.splitlines()[-1]) == (1, "2 would be replayed, 2 left")
    assert len(list(desk.quarantine.list())) == 4
    code, text, _ = desk("replay", "--all")
    assert (code, text.splitlines()[-1]) == (1, "2 replayed, 2 left")
    assert text.splitlines()[0] == ("replayed 01234567/2/40: can be decoded: samples=1 exemplars=0 metadata=0")
    assert "left 01234567/2/41: cannot be decoded: " in text
    (appended, other) = desk.in_log(2)
    assert (appended.key, appended.value, appended.headers) == (b"team-a", SOUND, (*new_headers(), ("other", b"1")))
    assert other.value == SOUND
    assert desk.in_log(3) == []
    assert [each.offset for each in desk.quarantine.list()] == [41, 42]
    assert desk("replay", "--tenant=team-a", "--all", "--partition=6")[:2] == (
        0,
        "nothing in the quarantine matches\n",
    )


async def test_replay_onto_kafka_beside_its_gateways(
    desk: Desk, kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    broker = BrokerSettings(
        type="kafka",
        kafka=KafkaSettings(
            bootstrap_servers=kafka.bootstrap, topic=topic_name, create_topic=CreateTopic(3, replication_factor=1)
        ),
    )
    settings = Settings(broker=broker)
    gateway = open_writer(broker, tmp_path, SystemClock())
    await gateway.append([NewRecord(2, b"other", b"x", new_headers())])
    desk.put(2, 40, SOUND, log_id=gateway.log_id)
    desk.put(2, 41, GARBAGE, log_id=gateway.log_id)
    # In a thread: the command has an event loop of its own.
    code, text, _ = await asyncio.to_thread(lambda: desk("replay", "--all", settings=settings))
    assert (code, text.splitlines()[-1]) == (1, "1 replayed, 1 left")
    await gateway.append([NewRecord(2, b"other", b"y", new_headers())])
    await gateway.close()
    reader = open_reader(broker, tmp_path)
    records = reader.read(2, 0, 1 << 20)
    reader.close()
    assert [(record.key, record.value) for record in records] == [
        (b"other", b"x"),
        (b"team-a", SOUND),
        (b"other", b"y"),
    ]


def test_a_log_that_does_not_take_it_leaves_the_record(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(EmbeddedWriter):
        async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
            if self.commits:
                raise LogUnavailable("disk full")
            return await super().append(records)

    desk.empty_log()
    for offset in (40, 41, 42):
        desk.put(2, offset, SOUND)
    monkeypatch.setattr(quarantine_replay, "open_writer", lambda settings, *rest: Failing(settings.embedded, *rest))
    code, text, _ = desk("replay", "--all")
    assert code == 1
    lines = text.splitlines()
    assert lines[0].startswith("replayed 01234567/2/40: ")
    assert lines[1].startswith("left 01234567/2/41: disk full; it may be in the log all the same")
    assert lines[2:] == ["stopped, since the log does not take records now", "1 replayed, 1 left"]
    assert [each.offset for each in desk.quarantine.list()] == [41, 42]


@pytest.mark.parametrize(("step", "copies"), [(0, 2), (1, 1)])
def test_replay_killed_behind_the_append_is_done_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: int, copies: int
) -> None:
    """Before the tombstone: appended twice, which a consumer counts as duplicate. Behind it: once."""
    desk.empty_log()
    desk.put(2, 40, SOUND)
    bucket = FilesystemBucket(desk.data / "bucket")
    with monkeypatch.context() as patched:
        patched.setattr(quarantine, "open_existing_bucket", lambda *_: FaultyBucket(bucket, CrashAtWrite(step)))
        with pytest.raises(Crash):
            desk("replay", "--all")
    assert desk("replay", "--all")[0] == 0
    assert [record.value for record in desk.in_log(2)] == [SOUND] * copies
    assert [info.key.split(".", 1)[1] for info in bucket.list("forebay/quarantine/")] == ["replayed.json"]


def test_replay_does_not_throw_samples_away(desk: Desk) -> None:
    desk.empty_log()
    desk.put(2, 40, OLD)
    desk.put(2, 41, MIXED)
    code, text, _ = desk("replay", "--all")
    assert code == 1
    assert "1 samples would be rejected: out_of_bounds_past=1; that is all of them (hint: raise limits.max_age" in text
    assert "or give --partial" in text
    code, text, _ = desk("replay", "--all", "--partial")
    assert (code, text.splitlines()[-1]) == (1, "1 replayed, 1 left")
    assert [each.value for each in desk.in_log(2)] == [MIXED]


def test_a_record_of_version_2_gets_its_labels_from_the_log(desk: Desk) -> None:
    """And is appended as one of version 1, since it may rely on no labels at the log's end."""
    entries = [Entry(named(job="x"), [(NOW, 5)])]
    seed = tenant_seed(b"team-a")
    rows = of_version_2(in_rows=entries, seed=seed)
    writer = desk.make_log()
    taught = NewRecord(2, b"team-a", of_version_2(entries, seed=seed), new_headers(version=2))
    asyncio.run(writer.append([taught]))
    asyncio.run(writer.close())
    (record_in_log,) = desk.in_log(2)
    log_id = writer.log_id
    # Its place is behind the labels. Of another tenant, or another log, there are none.
    desk.put(2, 1, rows, headers=new_headers(Replica("c", "a"), 2), log_id=log_id, at=record_in_log.append_time)
    desk.put(2, 2, rows, headers=new_headers(version=2), log_id=log_id, key=b"b", at=record_in_log.append_time)
    desk.put(2, 3, rows, headers=new_headers(version=2), at=record_in_log.append_time)
    desk.put(2, 4, GARBAGE, headers=new_headers(version=2), log_id=log_id)
    desk.put(2, 5, taught.value, headers=taught.headers)  # needs no log
    code, text, _ = desk("replay", "--all")
    assert (code, text.splitlines()[-1]) == (1, "2 replayed, 3 left")
    assert "labels of its series are in another log" in text
    assert "resolves to no labels" in text
    assert "not a WriteRequest" in text
    replayed = desk.in_log(2)[1:]
    assert [(each.value, each.headers) for each in replayed] == [(record(entries), new_headers())] * 2


def test_a_verdict_is_what_the_consumer_would_find() -> None:
    recipe = make_recipe(SegmentSettings(), BoundSettings(), {}, "tenant_id")
    sound = judge(Record(0, 1, 5, b"t", SOUND, new_headers()), recipe, NOW)
    assert (sound.problem, sound.rejected) == ("", 0)
    assert sound.ledger is not None
    assert sound.ledger.stored == 1
    later = judge(Record(0, 1, NOW, b"t", SOUND, new_headers()), recipe, NOW + 30 * DAY)
    assert later.ledger is not None
    assert later.ledger.rejected == {"out_of_bounds_past": 1}
    for bad in (
        Record(0, 1, 5, b"t", GARBAGE, new_headers()),
        Record(0, 1, 5, b"", SOUND, new_headers()),
        Record(0, 1, 5, b"t", SOUND, (("forebay-version", b"3"),)),
        Record(0, 1, 5, b"t", b"", new_headers(), "page is damaged"),
    ):
        verdict = judge(bad, recipe, NOW)
        assert verdict.problem
        assert verdict.ledger is None


def test_from_the_consumer_through_quarantine_into_blocks(tmp_path: Path) -> None:
    """Poison in a real log; what an older version could not read; audit before, between and after."""
    data = tmp_path / "data"
    writer = open_writer(BrokerSettings(), data / "log", SystemClock())
    log_id = writer.log_id

    async def append() -> None:
        await writer.append([NewRecord(1, b"default-tenant", GARBAGE, new_headers())])
        await writer.close()

    asyncio.run(append())

    def published(role: Role) -> bool:
        rows = role.status()["partitions"]
        return all(row["manifest_end"] == row["end_offset"] for row in rows)

    with Role("all-in-one", tmp_path) as role:
        role.ready()
        eventually(lambda: published(role), role)
        assert f"{log_id[:8]}/1/0" in run("quarantine", "list", f"--data.dir={data}").stdout
        assert role.stop() == 0
    bucket = FilesystemBucket(data / "bucket")
    key = f"forebay/quarantine/{log_id}/1/{0:020}.json"
    poison = QuarantinedRecord.decode(bucket.get(key))
    assert poison.value == GARBAGE
    assert "note quarantined" in run("audit", f"--data.dir={data}").stdout
    left = run("quarantine", "replay", "1/0", f"--data.dir={data}")
    assert (left.returncode, "cannot be decoded" in left.stdout) == (1, True)
    fixed = QuarantinedRecord.of(log_id, poison.record()._replace(value=SOUND), poison.reason)
    bucket.put(key, fixed.encode())  # as if this version could read what that one could not
    replayed = run("quarantine", "replay", "1/0", f"--data.dir={data}")
    assert (replayed.returncode, "1 replayed" in replayed.stdout) == (0, True)
    with Role("all-in-one", tmp_path) as role:
        role.ready()
        eventually(lambda: published(role), role)
        found = role.read(start=NOW - 1000, end=NOW + 1000, n="7")
        assert found == [{"labels": {"__name__": "up", "n": "7"}, "samples": [(NOW, 7.0)]}]
        assert role.stop() == 0
    audit = run("audit", f"--data.dir={data}")
    assert audit.returncode == 0, audit.stdout
    assert "note quarantine-replayed" in audit.stdout
    bucket.delete(f"forebay/quarantine/{log_id}/1/{0:020}.replayed.json")
    audit = run("audit", f"--data.dir={data}")
    assert (audit.returncode, "discrepancy quarantine-missing" in audit.stdout) == (1, True)
