"""Every kernel entry that takes untrusted bytes. A target returns; any error but those it expects is a finding.

Inputs stand in memory of exactly their size, so that the first byte read behind them is one that the sanitizer guards;
a bytes object would lend its terminating zero.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import cramjam

from consumers.exemplars import Exemplars
from consumers.head import Bounds, Head
from consumers.metadata import Metadata
from forebay.errors import InvalidData
from tests.fuzz import blocks, corpus, headers, limits, otlp, relabel
from tests.fuzz.entry import Entry, Target, exactly
from tests.wire.record_v2 import decode, taught, written_out
from tests.wire.requests_v2 import as_v2
from tests.wire.write_request_oracle import read_records
from tsdb.chunk_record import read_record
from tsdb.chunks import decode_floats, decode_histograms, sample_count
from tsdb.crc32c import crc32c
from tsdb.symbol_reader import SymbolReader
from wire.labels import canonical_check
from wire.large_body import LargeBody
from wire.remote_read import decode_read_request
from wire.series_set import SeriesBudget
from wire.tenant_split import TenantSplit
from wire.write_request import Routed, Router
from wire.written_labels import WrittenLabels

SEED = 7
MAX_AGE = 3_600_000


def _route(router: Router, data: memoryview, message: int = 1, **more: Any) -> Routed:
    """Names replicas where the router knows their labels."""
    least, most = corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE
    return router.route(data, SEED, least, most, message=message, name_replicas=True, **more)


def _router(*, message: int = 1, **settings: Any) -> Target:
    router = Router(7, **settings)

    def target(data: memoryview) -> None:
        try:
            routed = _route(router, data, message)
        except InvalidData:
            return
        for partition, record in routed.records:
            again = _route(router, exactly(record))
            if again.records != [(partition, record)] or again.rejected or again.replicas:
                raise AssertionError(f"a record routed again is another: {record.hex()}")

    return target


def _labels_once(*, message: int = 1, **settings: Any) -> Target:
    """Of version 2: nothing relies on labels that were not appended, and written out all says what version 1 does."""
    router = Router(7, **settings)
    written: list[WrittenLabels] = []
    known: dict[bytes, bytes] = {}
    inputs = 0

    def target(data: memoryview) -> None:
        nonlocal inputs
        if inputs % 100 == 0:
            written[:] = [WrittenLabels(SeriesBudget(1 << 20), 7, MAX_AGE)]
            known.clear()
        inputs += 1
        try:
            plain = _route(router, data, message)
        except InvalidData:
            return
        made = _route(router, data, message, written=written[0], log_now=inputs)
        if made.labels is None:
            return
        values = [(partition, decode(value)) for partition, value in made.records]
        out = [(partition, written_out(value, known, SEED)) for partition, value in values]
        if _sorted(made._replace(records=out)) != _sorted(plain):
            raise AssertionError(f"records of version 2 say something else: {bytes(data).hex()}")
        if inputs % 3:
            made.labels.learn([(inputs, inputs)] * len(values))
            for _, value in values:
                known.update(taught(value, SEED))

    return target


def _sorted(routed: Routed) -> list[Any]:
    entries = read_records(routed.records, routed.replicas).entries
    found = [(place, *each) for place, entries_of in entries.items() for each in entries_of]
    return [sorted(found, key=repr), routed[1:6], routed.rejected]


def _expecting(call: Callable[[memoryview], object], *errors: type[Exception]) -> Target:
    def target(data: memoryview) -> None:
        with contextlib.suppress(*errors):
            call(data)

    return target


def _split(message: int) -> Target:
    split = TenantSplit("job")

    def target(data: memoryview) -> None:
        with contextlib.suppress(InvalidData):
            for part in split.split(data, message=message, max_bytes=1 << 24):
                split.split(exactly(bytes(part.body)), message=message)

    return target


def _head() -> Target:
    bounds = Bounds(max_age=MAX_AGE, max_future=MAX_AGE, max_windows=8)
    router = Router(1)
    heads: list[Head] = []
    appends = 0

    def target(data: memoryview) -> None:
        nonlocal appends
        if appends % 200 == 0:
            for head in heads:
                head.finish()
                list(head.select([], corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE))
            heads[:] = [Head(seed=SEED, window_ms=7_200_000, bounds=bounds)]
        appends += 1
        values = [data]
        with contextlib.suppress(InvalidData):
            values += [exactly(record) for _, record in _route(router, data).records]
        for value in values:
            with contextlib.suppress(InvalidData):
                heads[0].append(value, corpus.NOW)
                heads[0].leave_out(value)

    return target


def _head_v2() -> Target:
    """Version 2 records: what is taken says as much as the same record written out does, to another head."""
    bounds = Bounds(max_age=MAX_AGE, max_future=MAX_AGE, max_windows=8)
    heads: list[Head] = []
    appends = 0

    def target(data: memoryview) -> None:
        nonlocal appends
        if appends % 200 == 0:
            heads[:] = [Head(seed=SEED, window_ms=7_200_000, bounds=bounds) for _ in range(2)]
            heads[0].teach(corpus.taught(), 0)
        elif appends % 50 == 0:
            heads[0].finish()
            list(heads[0].select([], corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE))
            heads[0] = heads[0].heir(appends // 2)
            heads[1] = Head(seed=SEED, window_ms=7_200_000, bounds=bounds)
        appends += 1
        made, plain = heads
        try:
            made.append(data, corpus.NOW, 2, appends)
        except InvalidData:
            with contextlib.suppress(InvalidData):
                made.leave_out(data, 2, appends)
            return
        plain.append(exactly(made.expand(data, appends)), corpus.NOW)
        if made.counts.stored != plain.counts.stored or made.series != plain.series:
            raise AssertionError(f"a record written out is another: {bytes(data).hex()}")

    return target


def _large_body(message: int) -> Target:
    """Whatever is given out in pieces is what an independent decoder makes of it."""

    def target(data: memoryview) -> None:
        try:
            pieces = list(LargeBody(data, message=message, piece_bytes=1024))
        except InvalidData:
            return
        if message == 1 and b"".join(pieces) != bytes(cramjam.snappy.decompress_raw(bytes(data))):
            raise AssertionError(f"pieces are another body: {bytes(data).hex()}")

    return target


def _annotations() -> Target:
    """Taken as it is, which no product code does: a head has seen the record before."""
    exemplars, metadata = Exemplars(4096), Metadata(4096)

    def target(data: memoryview) -> None:
        exemplars.take(data)
        metadata.take(data)
        exemplars.select([], corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE)
        metadata.families()

    return target


def _chunks(data: memoryview) -> None:
    for call in (
        sample_count,
        decode_floats,
        lambda data: decode_histograms(2, data),
        lambda data: decode_histograms(3, data),
    ):
        with contextlib.suppress(InvalidData):
            call(data)


def _symbols(data: memoryview) -> None:
    """Wraps the entries in their length and checksum, since a wrong one ends the reading at once."""
    section = len(data).to_bytes(4, "big") + bytes(data) + crc32c(data).to_bytes(4, "big")
    with contextlib.suppress(InvalidData):
        SymbolReader(exactly(section))


def _record(data: memoryview) -> None:
    """As `_symbols`, for chunk records: length, encoding, payload, checksum over the last two."""
    for record in (bytes(data), bytes(data) + crc32c(data[1:]).to_bytes(4, "big")):
        with contextlib.suppress(InvalidData):
            read_record(exactly(record))


def entries() -> dict[str, Entry]:
    writes = corpus.write_requests()
    records = [bytes([len(chunk), 1]) + chunk for chunk in corpus.chunks()]
    return {
        "router": Entry(_router(), writes),
        "router, small records": Entry(_router(max_record_bytes=300, max_label_pairs=6), writes),
        "router, replicas": Entry(_router(cluster_label="cluster", replica_label="__replica__"), corpus.of_replicas()),
        "router, replicas, small records": Entry(
            _router(max_record_bytes=300, max_label_pairs=6, cluster_label="cluster", replica_label="job"),
            corpus.of_replicas(),
        ),
        "router 2.0": Entry(_router(message=2), corpus.requests_v2()),
        "router 2.0, small records": Entry(
            _router(message=2, max_record_bytes=300, max_label_pairs=6, max_repeated_bytes=3000), corpus.requests_v2()
        ),
        "router 2.0, replicas": Entry(
            _router(message=2, max_record_bytes=500, cluster_label="cluster", replica_label="__replica__"),
            [as_v2(body) for body in corpus.of_replicas()],
        ),
        "router, labels once": Entry(_labels_once(), writes),
        "router, labels once, replicas": Entry(
            _labels_once(cluster_label="cluster", replica_label="__replica__"), corpus.of_replicas()
        ),
        "router 2.0, labels once": Entry(_labels_once(message=2), corpus.requests_v2()),
        "tenant split": Entry(_split(1), writes),
        "tenant split 2.0": Entry(_split(2), [as_v2(body) for body in writes]),
        "read request": Entry(_expecting(decode_read_request, InvalidData), corpus.read_requests()),
        "canonical labels": Entry(_expecting(canonical_check), corpus.label_sets()),
        "head": Entry(_head(), writes),
        "head, version 2": Entry(_head_v2(), corpus.records_v2()),
        "large body": Entry(_large_body(1), [bytes(cramjam.snappy.compress_raw(b"".join(writes) * 20))]),
        "large body 2.0": Entry(
            _large_body(2), [bytes(cramjam.snappy.compress_raw(each)) for each in corpus.requests_v2()]
        ),
        "annotations": Entry(_annotations(), writes),
        "chunks": Entry(_chunks, corpus.chunks()),
        "chunk record": Entry(_record, records),
        "symbols": Entry(_symbols, [bytes.fromhex("00000002 0161 036a6f62")]),
        **relabel.entries(),
        **blocks.entries(),
        **limits.entries(),
        **otlp.entries(),
        **headers.entries(),
    }
