"""What nobody should send, to write and to read: each with the answers that are right for it."""

import gzip
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cramjam

from tests.faults.client import now_ms, snappy
from tests.wire.labels_oracle import label_fields, text_field, varint
from tests.wire.messages import ReadRequest, WriteRequest
from tests.wire.requests_v2 import as_v2

HOUR = 3_600_000
NAME = (b"__name__", b"mallory")


@dataclass(frozen=True)
class Case:
    """`body` is compressed already; an iterator is sent in chunks."""

    name: str
    body: Callable[[], bytes | Iterator[bytes]]
    status: int
    text: str
    """A part of the answer's text."""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def sample(at: int, value: float = 1.0) -> bytes:
    return text_field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at & (1 << 64) - 1))


def series(labels: list[tuple[bytes, bytes]], *samples: bytes) -> bytes:
    return text_field(1, label_fields(labels) + b"".join(samples))


def lying(declared: int) -> bytes:
    return varint(declared) + b"\x08abc"


def million_nameless_series() -> bytes:
    return b"".join(series([(b"a", b"%c" % (97 + n))], sample(now_ms())) for n in range(25)) * 40_000


def million_one_byte_series() -> bytes:
    now = now_ms()
    names = [label_fields([(b"__name__", b"%c" % (97 + n))]) for n in range(26)]
    return b"".join(text_field(1, names[n % 26] + b"\x12\x07\x10" + varint(now - n)) for n in range(1_000_000))


def windows(count: int, names: int) -> bytes:
    """A sample of each series in each of the last `count` windows."""
    now = now_ms()
    return b"".join(
        series([NAME, (b"n", b"%d" % n)], *(sample(now - 2 * HOUR * window) for window in range(count)))
        for n in range(names)
    )


def ten_megabytes() -> bytes:
    return series([NAME, (b"long", random.Random(1).randbytes(5_000_000).hex().encode())], sample(now_ms()))


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = text_field(1, data)
    return data


def endless() -> Iterator[bytes]:
    chunk = random.Random(2).randbytes(1 << 20)
    for _ in range(200):
        yield chunk


def good_write() -> bytes:
    histogram = {
        "count_int": 4,
        "sum": 5.0,
        "positive_spans": [{"offset": -1, "length": 2}],
        "positive_deltas": [1, 2],
        "timestamp": now_ms(),
    }
    labels = [{"name": NAME[0], "value": NAME[1]}, {"name": b"job", "value": b"mutant"}]
    exemplar = {"labels": [{"name": b"id", "value": b"x"}], "value": 1.0, "timestamp": now_ms()}
    samples = [{"value": 1.5, "timestamp": now_ms()}]
    request = WriteRequest(
        timeseries=[
            {"labels": labels, "samples": samples, "exemplars": [exemplar]},
            {"labels": labels[:1], "histograms": [histogram]},
        ],
        metadata=[{"type": 1, "metric_family_name": NAME[1], "help": b"Bad."}],
    )
    data: bytes = request.SerializeToString()
    return data


def good_write_v2() -> bytes:
    return as_v2(good_write())


def mutants(body: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Cut, flipped, doubled and overwritten copies of a message."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) or 1)
            match chance.randrange(4):
                case 0:
                    del data[at:]
                case 1:
                    data[at : at + 1] = bytes([chance.randrange(256)])
                case 2:
                    data[at:at] = data[at : at + chance.randint(1, 20)]
                case 3:
                    data[at : at + 1] = b"\xff" * chance.randint(1, 11)
        yield snappy(bytes(data))


def query(*matchers: tuple[int, bytes, bytes], start: int = 0, end: int = 1 << 60, times: int = 1) -> bytes:
    request = ReadRequest()
    for _ in range(times):
        asked = request.queries.add(start_timestamp_ms=start, end_timestamp_ms=end)
        for kind, name, value in matchers:
            asked.matchers.add(type=kind, name=name, value=value)
    data: bytes = request.SerializeToString()
    return data


def pattern(value: bytes, *, count: int = 1) -> bytes:
    return query(*((2, b"__name__", value) for _ in range(count)))


def _snappy_of(body: Callable[..., bytes], *arguments: Any, **named: Any) -> Callable[[], bytes]:
    return lambda: snappy(body(*arguments, **named))


def symbols(*texts: bytes) -> bytes:
    """A table of remote-write 2.0: the empty string, a name and a value, then these from 3 on."""
    return b"".join(text_field(4, text) for text in (b"", *NAME, *texts))


def series_v2(refs: bytes, *samples: bytes) -> bytes:
    return text_field(5, text_field(1, refs) + b"".join(samples))


def huge_symbol_of_many_series() -> bytes:
    return symbols(b"x" * 100_000) + series_v2(b"\x01\x02\x02\x03", sample(now_ms())) * 100_000


def million_series_of_nothing() -> bytes:
    return symbols() + series_v2(b"\x01\x03", sample(now_ms())) * 1_000_000


MALFORMED = "malformed write request"
OVER_2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
EITHER: list[Case] = [
    Case("garbage", lambda: random.Random(3).randbytes(100_000), 400, "snappy"),
    Case("empty", lambda: b"", 400, "corrupt snappy"),
    Case("lies within the limit", lambda: lying(30 << 20), 400, "lies about its length"),
    Case("truncated snappy", lambda: snappy(random.Random(4).randbytes(100_000))[:-7], 400, "corrupt snappy"),
    Case("framed snappy", lambda: bytes(cramjam.snappy.compress(b"abc" * 100)), 400, "framed snappy"),
    Case("gzip called snappy", lambda: gzip.compress(b"abc" * 100), 400, "snappy"),
    Case("two tenants", lambda: b"\x00", 400, "tenant headers disagree", {"THANOS-TENANT": "another"}),
    Case("tenant of dots", lambda: b"\x00", 400, "not a tenant id", {"X-Scope-OrgID": ".."}),
]
WRITES: list[Case] = [
    *EITHER,
    Case("lies hugely", lambda: lying((1 << 32) - 1), 400, "decompressed_bytes=4294967295"),
    Case("bomb", lambda: snappy(bytes(400 << 20)), 400, MALFORMED),
    Case("bomb of labels", lambda: snappy(text_field(1, label_fields([(b"__name__", b"up")])) * (8 << 20)), 204, ""),
    Case("bomb of one series", lambda: snappy(b"\x0a\x80\x80\x80\x80\x01" + bytes(256 << 20)), 413, "one series has"),
    Case("zeros", lambda: snappy(bytes(32 << 20)), 400, MALFORMED),
    Case("endless chunks", endless, 413, "body is too large"),
    Case("wrong wire types", _snappy_of(lambda: b"\x08\x01" * 1000), 400, MALFORMED),
    Case("groups", _snappy_of(lambda: b"\x0b" * 1_000_000), 400, MALFORMED),
    Case("nested", _snappy_of(nested, 20_000), 400, "invalid_utf8=1"),
    Case("10 MB label", _snappy_of(ten_megabytes), 400, "series_too_large=1"),
    Case("a million nameless series", _snappy_of(million_nameless_series), 400, "missing_name=1000000"),
    Case("100k windows", _snappy_of(windows, 100_000, 1), 400, "out_of_bounds_past=99916"),
    Case("least and most time", _snappy_of(lambda: series([NAME], sample(-(1 << 63)), sample((1 << 63) - 1))), 400, ""),
    Case("gzip", lambda: gzip.compress(good_write()), 415, "send snappy", {"Content-Encoding": "gzip"}),
    Case("json", lambda: b"{}", 415, "unsupported media type", {"Content-Type": "application/json"}),
    Case("all windows", _snappy_of(windows, 83, 200), 204, ""),
    Case("a million one-byte series", _snappy_of(million_one_byte_series), 204, ""),
]
WRITES_V2: list[Case] = [
    Case("zeros over 2.0", lambda: snappy(bytes(32 << 20)), 400, MALFORMED, OVER_2),
    Case("groups over 2.0", _snappy_of(lambda: b"\x2b" * 1_000_000), 400, MALFORMED, OVER_2),
    Case("1.0 called 2.0", lambda: snappy(good_write()), 400, "not the message that the headers name", OVER_2),
    Case("2.0 called 1.0", lambda: snappy(as_v2(good_write())), 400, "not the message that the headers name"),
    Case("no symbols", _snappy_of(series_v2, b"\x01\x02"), 400, "no symbol table", OVER_2),
    Case("millions of symbols", _snappy_of(lambda: text_field(4, b"") * 16_000_000), 204, "", OVER_2),
    Case("huge symbol of many series", _snappy_of(huge_symbol_of_many_series), 413, "too large as records", OVER_2),
    Case("a million series of nothing", _snappy_of(million_series_of_nothing), 400, "invalid_symbols=1000000", OVER_2),
    Case("endless references", _snappy_of(lambda: symbols() + series_v2(b"\x01\x02" * 8_000_000)), 400, "", OVER_2),
]
READS: list[Case] = [
    *EITHER,
    Case("lies hugely", lambda: lying((1 << 32) - 1), 400, "decompressed_bytes=4294967295"),
    Case("bomb", lambda: snappy(bytes(400 << 20)), 400, "limit=32MiB"),
    Case("zeros", lambda: snappy(bytes(32 << 20)), 400, "malformed read request"),
    Case("endless chunks", endless, 400, "body is too large"),
    Case("wrong wire types", _snappy_of(lambda: b"\x08\x01" * 1000), 400, "malformed read request"),
    Case("nested", _snappy_of(nested, 20_000), 400, "malformed read request"),
    Case("unknown matcher", _snappy_of(query, (9, b"a", b"b")), 400, "unknown matcher type"),
    Case("not UTF-8", _snappy_of(query, (0, b"\xff", b"b")), 400, "not utf-8"),
    Case("thousands of matchers", _snappy_of(query, *[(0, b"a", b"")] * 5000), 400, "too many matchers"),
    Case("thousands of queries", _snappy_of(query, times=5000), 400, "too many queries"),
    Case("least and most time", _snappy_of(query, start=-(1 << 63), end=(1 << 63) - 1), 200, ""),
    Case("backwards", _snappy_of(query, start=(1 << 63) - 1, end=-(1 << 63)), 200, ""),
    Case("exponential pattern", _snappy_of(pattern, b"(a+)+$"), 200, ""),
    Case("repeated repetition", _snappy_of(pattern, b"((x{1000}){1000})"), 400, "not RE2"),
    Case("large classes", _snappy_of(pattern, rb"(\pL{50}){20}"), 400, "not RE2"),
    Case("many large classes", _snappy_of(pattern, rb"\pL{60}", count=100), 400, "too large together"),
    Case("many patterns", _snappy_of(pattern, b"a.*", count=900), 400, "too many patterns"),
    Case("nested groups", _snappy_of(pattern, b"(" * 9000 + b"a*" + b")" * 9000), 200, ""),
    Case("10 MB pattern", _snappy_of(pattern, b"|".join(b"%07d" % n for n in range(1_250_000))), 400, "not RE2"),
    Case("not a pattern", _snappy_of(pattern, b"(" * 1_000_000), 400, "not RE2"),
]
