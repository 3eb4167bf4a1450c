"""Every kernel entry that takes untrusted bytes. A target returns; any error but those it expects is a finding.

Inputs stand in memory of exactly their size, so that the first byte read behind them is one that the sanitizer guards;
a bytes object would lend its terminating zero.
"""

import contextlib
import ctypes
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from forebay.errors import InvalidData
from tests.fuzz import corpus
from wire.labels import canonical_check
from wire.remote_read import decode_read_request
from wire.write_request import Routed, Router

SEED = 7
MAX_AGE = 3_600_000
Target = Callable[[memoryview], object]


class Entry(NamedTuple):
    target: Target
    corpus: Sequence[bytes]


def exactly(data: bytes) -> memoryview:
    """`data` in a heap block of its own size; up to 16 bytes ctypes keeps inside its object, without a guard."""
    return memoryview((ctypes.c_char * len(data)).from_buffer_copy(data)).cast("B")


def _route(router: Router, data: memoryview) -> Routed:
    return router.route(data, SEED, corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE)


def _router(**settings: int) -> Target:
    router = Router(7, **settings)

    def target(data: memoryview) -> None:
        try:
            routed = _route(router, data)
        except InvalidData:
            return
        for partition, record in routed.records:
            again = _route(router, exactly(record))
            if again.records != [(partition, record)] or again.rejected:
                raise AssertionError(f"a record routed again is another: {record.hex()}")

    return target


def _expecting(call: Callable[[memoryview], object], *errors: type[Exception]) -> Target:
    def target(data: memoryview) -> None:
        with contextlib.suppress(*errors):
            call(data)

    return target


def _head() -> Target:
    head_kernel = importlib.import_module("consumers.head")
    bounds = head_kernel.Bounds(max_age=MAX_AGE, max_future=MAX_AGE, max_windows=8)
    router = Router(1)
    state: dict[str, Any] = {"appends": 0}

    def target(data: memoryview) -> None:
        if state["appends"] % 200 == 0:
            if state["appends"]:
                state["head"].finish()
                list(state["head"].select([], corpus.NOW - MAX_AGE, corpus.NOW + MAX_AGE))
            state["head"] = head_kernel.Head(seed=SEED, window_ms=7_200_000, bounds=bounds)
        state["appends"] += 1
        try:
            values = [bytes(data), *(record for _, record in _route(router, data).records)]
        except InvalidData:
            values = [bytes(data)]
        for value in values:
            with contextlib.suppress(InvalidData):
                state["head"].append(value, corpus.NOW)

    return target


def _chunks() -> Target:
    kernel = importlib.import_module("tsdb.chunks")

    def target(data: memoryview) -> None:
        for call in (
            kernel.sample_count,
            kernel.decode_floats,
            lambda data: kernel.decode_histograms(2, data),
            lambda data: kernel.decode_histograms(3, data),
        ):
            with contextlib.suppress(InvalidData):
                call(data)

    return target


def _symbols(reader: Callable[[memoryview], object]) -> Target:
    """Wraps the entries in their length and checksum, since a wrong one ends the reading at once."""
    crc32c = importlib.import_module("tsdb.crc32c").crc32c

    def target(data: memoryview) -> None:
        section = len(data).to_bytes(4, "big") + bytes(data) + int(crc32c(data)).to_bytes(4, "big")
        with contextlib.suppress(InvalidData):
            reader(exactly(section))

    return target


def _records(read: Callable[[memoryview], object]) -> Target:
    """As `_symbols`, for chunk records: length, encoding, payload, checksum over the last two."""
    crc32c = importlib.import_module("tsdb.crc32c").crc32c

    def target(data: memoryview) -> None:
        for record in (bytes(data), bytes(data) + int(crc32c(data[1:])).to_bytes(4, "big")):
            with contextlib.suppress(InvalidData):
                read(exactly(record))

    return target


def _built(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def entries() -> dict[str, Entry]:
    writes = corpus.write_requests()
    found = {
        "router": Entry(_router(), writes),
        "router, small records": Entry(_router(max_record_bytes=300, max_label_pairs=6), writes),
        "read request": Entry(_expecting(decode_read_request, InvalidData), corpus.read_requests()),
        "canonical labels": Entry(_expecting(canonical_check), corpus.label_sets()),
    }
    if _built("consumers.head"):
        found["head"] = Entry(_head(), writes)
    if _built("tsdb.chunks"):
        found["chunks"] = Entry(_chunks(), corpus.chunks())
    if _built("tsdb.chunk_record"):
        kernel = importlib.import_module("tsdb.chunk_record")
        records = [bytes([len(chunk), 1]) + chunk for chunk in corpus.chunks()]
        found["chunk record"] = Entry(_records(kernel.read_record), records)
    if _built("tsdb.symbol_reader"):
        kernel = importlib.import_module("tsdb.symbol_reader")
        found["symbols"] = Entry(_symbols(kernel.SymbolReader), [bytes.fromhex("00000002 0161 036a6f62")])
    return found
