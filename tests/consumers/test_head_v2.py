"""Version 2 records into a head: what the oracle of version 1 makes of the same record with its labels written out."""

import random
from pathlib import Path

import pytest

from broker.record import UnsupportedRecord
from consumers.errors import LabelsUnknown
from consumers.head import HOLDS_EXEMPLARS, Bounds, Head
from forebay.errors import InvalidData
from tests.consumers.head_oracle import STALE, Entry, Oracle, Sample, bits_of, named, record
from tests.consumers.records_v2 import SEED, hash_of, hashed, labelled, of_version_2, rows
from tests.consumers.test_head import BOUNDS, NOW, WINDOW_MS, check_block, histogram
from tests.wire import record_v2
from tests.wire.labels_oracle import canonical, label_fields, text_field, varint
from tests.wire.record_v2 import LABEL_WINDOW_MS, Malformed, RecordV2, Row

SERIES = [named(job=f"j{number}", pad="x" * (1 + number * 7 % 200)) for number in range(70)]
ONE = [(NOW, bits_of(1.0))]


def head(label_window: int = LABEL_WINDOW_MS) -> Head:
    return Head(seed=SEED, window_ms=WINDOW_MS, bounds=BOUNDS, label_window=label_window)


def some_samples(chance: random.Random, most: int) -> list[Sample]:
    found: list[Sample] = []
    for _ in range(chance.randrange(most + 1)):
        timestamp = NOW + chance.randrange(-30_000, 20_000)
        bits = chance.choice([bits_of(1.0), bits_of(-0.0), STALE, chance.getrandbits(64)])
        found.append((timestamp, histogram(chance.randrange(4)) if chance.random() < 0.1 else bits))
    return sorted(found, key=lambda sample: not isinstance(sample[1], int))


class Story:
    """Records of both versions, and what a dictionary knows of labels."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.known: dict[bytes, tuple[bytes, int]] = {}
        self.since = 0

    def record(self, offset: int) -> tuple[bytes, RecordV2 | None]:
        chance = self.chance
        chosen = chance.choices(SERIES, k=chance.randrange(90))
        if chance.random() < 0.2:
            return record([Entry(labels, some_samples(chance, 3)) for labels in chosen]), None
        parts: tuple[list[Entry], list[Entry], list[Entry]] = ([], [], [])
        likely_known = chance.random() < 0.8
        for labels in chosen:
            resolves = self.known.get(hash_of(labels), (b"", -1))[1] >= self.since
            part = 0 if likely_known and not resolves else chance.choice([0, 1, 2, 2, 2, 2])
            samples = some_samples(chance, 3)
            if part == 2:
                samples = [(NOW + chance.randrange(-30_000, 20_000), chance.getrandbits(64))]
            parts[part].append(Entry(labels, samples))
        whole = RecordV2(
            labelled(*parts[0]), (), LABEL_WINDOW_MS, tuple(hashed(each) for each in parts[1]), rows(parts[2])
        )
        return record_v2.encode(whole), whole

    def teach(self, whole: RecordV2, offset: int) -> None:
        for hash_bytes, labels in record_v2.taught(whole, SEED).items():
            if self.known.get(hash_bytes, (b"", -1))[1] <= offset:
                self.known[hash_bytes] = (labels, offset)

    def resolving(self) -> dict[bytes, bytes]:
        return {key: labels for key, (labels, offset) in self.known.items() if offset >= self.since}


@pytest.mark.parametrize("seed", range(12))
def test_blocks_and_counts_are_those_of_the_oracle(tmp_path: Path, seed: int) -> None:
    story = Story(seed)
    made = head()
    unresolved = 0
    for segment in range(3):
        first = 1 + 24 * segment
        oracle = Oracle(WINDOW_MS, BOUNDS)
        for offset in range(first, first + 24):
            value, whole = story.record(offset)
            append_time = NOW + story.chance.randrange(3000)
            if whole is None:
                made.append(value, append_time)
                oracle.append(value, append_time)
                continue
            story.teach(whole, offset)
            try:
                plain = record_v2.written_out(whole, story.resolving(), SEED)
            except KeyError:
                unresolved += 1
                with pytest.raises(LabelsUnknown, match="resolves to no labels"):
                    made.append(value, append_time, 2, offset)
                continue
            made.append(value, append_time, 2, offset)
            assert made.expand(value, offset) == plain
            oracle.append(plain, append_time)
        old = made
        story.since = first + 23 - story.chance.randrange(20)
        made = old.heir(first + 3)  # knows more than it may use
        made.forget(story.since)
        assert made.series == made.counts.records == 0
        assert list(made.select([], 0, 2**62)) == []
        assert old.finish() == oracle.counts()
        assert old.series == len(oracle.series)
        for window in old.windows():
            directory = tmp_path / f"{segment}-{window}"
            old.write_block(window, directory)
            check_block(directory, oracle.block(window))
    assert unresolved


def test_a_series_is_one_however_it_is_named(tmp_path: Path) -> None:
    made = head()
    made.append(record([Entry(SERIES[0], [(NOW, 1)])]), NOW)
    with pytest.raises(LabelsUnknown):  # version 1 teaches nothing
        made.append(of_version_2(in_rows=[Entry(SERIES[0], [(NOW + 1, 2)])]), NOW, 2, 1)
    made.append(of_version_2([Entry(SERIES[0], [(NOW + 2, 3)])]), NOW, 2, 2)
    made.append(
        of_version_2(by_hash=[Entry(SERIES[0], [(NOW + 3, 4)])], in_rows=[Entry(SERIES[0], [(NOW + 4, 5)])]), NOW, 2, 3
    )
    made = made.heir(2)
    made.append(record([Entry(SERIES[0], [(NOW + 5, 6)])]), NOW)
    made.append(of_version_2(in_rows=[Entry(SERIES[0], [(NOW + 6, 7)])]), NOW, 2, 4)
    assert made.series == made.known == 1
    made.finish()
    made.write_block(NOW, tmp_path)
    check_block(tmp_path, {SERIES[0]: [(NOW + 5, 6), (NOW + 6, 7)]})


def test_what_was_taught_before_is_forgotten_exactly() -> None:
    made = head()
    made.append(of_version_2([Entry(SERIES[0], ONE)]), NOW, 2, 10)
    made.append(of_version_2([Entry(SERIES[1], ONE)]), NOW, 2, 11)
    heir = made.heir(10)
    heir.forget(11)
    with pytest.raises(LabelsUnknown):
        heir.append(of_version_2(in_rows=[Entry(SERIES[0], ONE)]), NOW, 2, 12)
    heir.append(of_version_2(in_rows=[Entry(SERIES[1], ONE)]), NOW, 2, 13)
    assert made.heir(11).known == 1


def test_records_that_are_refused_or_left_out_teach() -> None:
    made = head()
    with pytest.raises(LabelsUnknown):
        made.append(of_version_2([Entry(SERIES[0], ONE)], in_rows=[Entry(SERIES[1], ONE)]), NOW, 2, 1)
    assert made.counts.records == 0
    made.leave_out(of_version_2([Entry(SERIES[2], ONE)], in_rows=[Entry(SERIES[1], ONE)]), 2, 2)
    assert (made.counts.deduplicated, made.series, made.known) == (2, 0, 2)
    made.append(of_version_2(in_rows=[Entry(SERIES[0], ONE), Entry(SERIES[2], ONE)]), NOW, 2, 3)
    assert made.counts.stored == 2


@pytest.mark.parametrize("at", range(16))
def test_all_of_a_hash_counts(at: int) -> None:
    made = head()
    made.append(of_version_2([Entry(SERIES[0], ONE)]), NOW, 2, 1)
    other = bytearray(hash_of(SERIES[0]))
    other[at] ^= 1
    value = record_v2.encode(RecordV2(label_window=1, rows=(Row(bytes(other), NOW, 1),)))
    with pytest.raises(LabelsUnknown, match=other.hex()):
        made.append(value, NOW, 2, 2)


def test_a_malformed_record_teaches_nothing() -> None:
    made = head()
    good = labelled(Entry(SERIES[0], ONE))
    for bad in (
        record_v2.encode(RecordV2((*good, label_fields([(b"job", b"a")])))),
        record_v2.encode(RecordV2(good)) + b"\x0a",
        record_v2.encode(RecordV2(good, label_window=5)) + b"\x3a\x01\x00",
    ):
        with pytest.raises(InvalidData, match="record cannot be taken"):
            made.append(bad, NOW, 2, 1)
        with pytest.raises(InvalidData, match="record cannot be taken"):
            made.teach(bad, 1)
    assert made.known == 0


def test_older_lessons_do_not_replace_newer_ones() -> None:
    """A lookback reads what lies before what is known already."""
    made = head()
    made.append(of_version_2([Entry(SERIES[0], ONE)]), NOW, 2, 9)
    made.teach(of_version_2([Entry(SERIES[0], ONE), Entry(SERIES[1], ONE)]), 4)
    made.forget(5)
    made.append(of_version_2(in_rows=[Entry(SERIES[0], ONE)]), NOW, 2, 10)
    with pytest.raises(LabelsUnknown):
        made.append(of_version_2(in_rows=[Entry(SERIES[1], ONE)]), NOW, 2, 11)
    assert made.counts.stored == 1  # the second sample of the series is a duplicate
    assert made.counts.duplicate == 1


def test_a_writer_that_looks_further_back_stops_the_reader() -> None:
    made = head(label_window=1000)
    with pytest.raises(UnsupportedRecord, match=r"label_window_ms=1001 here=1000.*broker.label_window"):
        made.append(of_version_2([Entry(SERIES[0], ONE)], label_window=1001), NOW, 2, 1)
    assert made.known == 0
    made.append(of_version_2([Entry(SERIES[0], ONE)], label_window=1000), NOW, 2, 1)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 500])
def test_rows_of_any_number_and_any_time(count: int) -> None:
    """Values and times over all of their range; planes are turned eight values at a time."""
    chance = random.Random(count)
    made = Head(seed=SEED, window_ms=1 << 59, bounds=Bounds(1 << 59, 1 << 59, 100))
    labels = [named(n=str(number)) for number in range(count)]
    made.teach(of_version_2([Entry(each, []) for each in labels]), 1)
    entries = [Entry(each, [(chance.randrange(-(1 << 58), 1 << 58), chance.getrandbits(64))]) for each in labels]
    value = of_version_2(in_rows=entries)
    plain = made.expand(value, 2)
    assert plain == record(entries)
    made.append(value, 0, 2, 2)
    assert made.counts.stored == made.series == count


def test_bytes_are_judged_as_the_oracle_does() -> None:
    """Cut, flipped and grown anywhere: both take a record, or both refuse it, for the same label sets."""
    chance = random.Random(5)
    metadata = text_field(2, b"up")
    base = RecordV2(
        labelled(Entry(SERIES[0], ONE), Entry(SERIES[3], ONE)),
        (metadata,),
        LABEL_WINDOW_MS,
        (hashed(Entry(SERIES[1], ONE)),),
        rows([Entry(SERIES[2], [(NOW + n, n)]) for n in range(10)]),
    )
    whole = record_v2.encode(base) + text_field(9, b"unknown")
    teaching = of_version_2([Entry(labels, []) for labels in SERIES[:4]])
    known = {hash_of(labels): canonical(labels) for labels in SERIES[:4]}
    taken = 0
    for attempt in range(3000):
        data = bytearray(whole)
        if attempt < len(whole):
            del data[attempt:]
        else:
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(2)] = bytes([chance.choice([0, 1, 8, 0x3A, 0x32, 0x7A, 0x28, 255])])
        made = head(label_window=(1 << 60) - 1)
        made.teach(teaching, 1)
        try:
            expected = record_v2.decode(bytes(data))
        except Malformed:
            with pytest.raises(InvalidData):
                made.append(bytes(data), NOW, 2, 2)
            continue
        try:
            found = made.expand(bytes(data), 2)
        except InvalidData:
            continue  # entries are looked into here, and not by the oracle
        assert found == record_v2.written_out(expected, known, SEED)
        taken += 1
    assert taken > 100


def test_fields_out_of_order_are_refused() -> None:
    label_window = varint(5 << 3) + varint(LABEL_WINDOW_MS)
    series = text_field(1, labelled(Entry(SERIES[0], ONE))[0])
    by_hash = text_field(6, text_field(15, hash_of(SERIES[0])))
    columns = text_field(7, record_v2.encode_rows((Row(hash_of(SERIES[0]), NOW, 1),)))
    for bad in (
        by_hash,
        columns,
        label_window + series,
        series + label_window + label_window,
        series + label_window + columns + columns,
        series + label_window + columns + by_hash,
        series + varint(5 << 3) + b"\x00" + by_hash,
        series + label_window + text_field(6, hash_of(SERIES[0])),
        series + label_window + text_field(6, text_field(15, hash_of(SERIES[0]) + b"\x00")),
        series + label_window + text_field(7, b"\x00"),
    ):
        with pytest.raises(InvalidData, match="record cannot be taken"):
            head().append(bad, NOW, 2, 1)
    head().append(series + label_window + by_hash + columns, NOW, 2, 1)


def test_exemplars_are_told_of() -> None:
    entry, elements = hashed(Entry(SERIES[0], ONE))
    whole = RecordV2(labelled(Entry(SERIES[0], [])), (), LABEL_WINDOW_MS, ((entry, elements + text_field(3, b"")),))
    made = head()
    assert made.append(record_v2.encode(whole), NOW, 2, 1) == HOLDS_EXEMPLARS
    assert made.counts.exemplars == 1
