"""Version 2 records, made of the entries that a head's tests are made of."""

from collections.abc import Iterable, Sequence

from tests.consumers.head_oracle import Entry, record
from tests.wire import record_v2
from tests.wire.labels_oracle import canonical
from tests.wire.messages import TimeSeries, WriteRequest
from tests.wire.record_v2 import LABEL_WINDOW_MS, RecordV2, Row
from tsdb.chunk import Labels

SEED = 7


def hash_of(labels: Labels, seed: int = SEED) -> bytes:
    return record_v2.hash_of(canonical(labels), seed)


def labelled(*entries: Entry) -> tuple[bytes, ...]:
    """Serialised TimeSeries."""
    series = WriteRequest.FromString(record(entries)).timeseries
    return tuple(each.SerializeToString() for each in series)


def hashed(entry: Entry, seed: int = SEED) -> tuple[bytes, bytes]:
    """Its hash, and its elements without labels."""
    (whole,) = labelled(entry)
    message = TimeSeries.FromString(whole)
    del message.labels[:]
    return hash_of(entry.labels, seed), message.SerializeToString()


def rows(entries: Iterable[Entry], seed: int = SEED) -> tuple[Row, ...]:
    """One for each sample, all of them floats."""
    found = []
    for labels, samples in entries:
        for timestamp, bits in samples:
            assert isinstance(bits, int)
            found.append(Row(hash_of(labels, seed), timestamp, bits))
    return tuple(found)


def of_version_2(
    with_labels: Sequence[Entry] = (),
    by_hash: Sequence[Entry] = (),
    in_rows: Sequence[Entry] = (),
    *,
    label_window: int = LABEL_WINDOW_MS,
    seed: int = SEED,
) -> bytes:
    whole = RecordV2(
        labelled=labelled(*with_labels),
        label_window=label_window,
        hashed=tuple(hashed(each, seed) for each in by_hash),
        rows=rows(in_rows, seed),
    )
    return record_v2.encode(whole)
