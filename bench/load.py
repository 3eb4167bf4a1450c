"""The load of every benchmark: remote-write requests of counters and gauges, made before the clock starts.

Each request holds `samples_per_request` series of one sample each, as Prometheus sends them. A series has 10 labels of
about 280 bytes in all, as pods and paths of a cluster have them. Bodies are compressed with snappy, and rotate through
all series.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import cramjam

from tests.wire.labels_oracle import canonical, text_field, varint

SCRAPE_INTERVAL_MS = 15_000
_WINDOW_MS = 7_200_000
_MARK = bytes.fromhex("7ff8dead beef5a5a")


@dataclass(frozen=True)
class Load:
    series: int
    scrapes: int
    samples_per_request: int = 2000
    message: int = 1
    """Remote-write 1.0 or 2.0."""
    metadata: bool = False
    """Whether each series of 2.0 says its type and help, as Prometheus does."""

    @property
    def samples(self) -> int:
        return self.series * self.scrapes


def _labels(index: int) -> dict[str, str]:
    """Ten labels, ascending by name; series of one target share all but the last few."""
    target, metric = divmod(index, 500)
    return {
        "__name__": f"bench_requests_handled_{metric % 125:03}_total",
        "cluster": "eu-west-1-prod",
        "container": f"checkout-{target % 17}",
        "handler": f"/api/v2/orders/{metric // 125}/items",
        "instance": f"10.{target >> 16 & 255}.{target >> 8 & 255}.{target & 255}:9090",
        "job": f"pods-{target % 29}",
        "method": ("GET", "POST", "PUT", "DELETE")[metric % 4],
        "namespace": f"team-{target % 23}-prod",
        "pod": f"checkout-{target % 17}-7d9f8b6c5d-{target * 2654435761 & 0xFFFFF:05x}",
        "status_code": ("200", "404", "500")[metric % 3],
    }


def _series_1(index: int, sample: bytes) -> bytes:
    labels = canonical((name.encode(), value.encode()) for name, value in _labels(index).items())
    return text_field(1, labels + text_field(2, sample))


class _Symbols:
    """The symbol table of a 2.0 request, as it grows."""

    def __init__(self) -> None:
        self._refs = {"": 0}

    def ref(self, text: str) -> bytes:
        return varint(self._refs.setdefault(text, len(self._refs)))

    def fields(self) -> bytes:
        return b"".join(text_field(4, text.encode()) for text in self._refs)

    def series(self, index: int, sample: bytes, *, metadata: bool) -> bytes:
        labels = _labels(index)
        refs = b"".join(self.ref(text) for pair in labels.items() for text in pair)
        entry = text_field(1, refs) + text_field(2, sample)
        if metadata:
            help_ref = self.ref(f"How many {labels['__name__'].replace('_', ' ')} there were, by handler and status.")
            entry += text_field(5, b"\x08\x01\x18" + help_ref)
        return text_field(5, entry)


class _Request:
    """One request's uncompressed bytes, whose values and times are rewritten in place for each scrape."""

    def __init__(self, first: int, count: int, at_ms: int, load: Load) -> None:
        sample = b"\x09" + bytes(8) + b"\x10" + varint(at_ms)
        # A mark in place of the sample's value: where it stands is known once the whole entry is written.
        marked = b"\x09" + _MARK + sample[9:]
        symbols = _Symbols()
        entries = [
            _series_1(index, marked) if load.message == 1 else symbols.series(index, marked, metadata=load.metadata)
            for index in range(first, first + count)
        ]
        body = bytearray(symbols.fields() if load.message != 1 else b"")
        self._at: list[int] = []
        self._values = [float(index % 1000) for index in range(first, first + count)]
        for entry in entries:
            self._at.append(len(body) + entry.rindex(_MARK))
            body += entry
        self.body = body

    def at(self, time_ms: int, chance: random.Random) -> bytes:
        """The compressed body of one scrape: three counters to one noisy gauge."""
        stamp = b"\x10" + varint(time_ms)
        for slot, at in enumerate(self._at):
            if slot % 4 == 3:
                self._values[slot] = chance.random() * 100
            else:
                self._values[slot] += slot % 7 and chance.randrange(50)
            struct.pack_into("<d", self.body, at, self._values[slot])
            self.body[at + 8 : at + 8 + len(stamp)] = stamp
        return bytes(cramjam.snappy.compress_raw(self.body))


def bodies(load: Load, now_ms: int, seed: int = 1) -> Iterator[bytes]:
    """All requests in the order of sending, scrape by scrape; times lie in the two-hour window before the present."""
    chance = random.Random(seed)
    end = now_ms // _WINDOW_MS * _WINDOW_MS - 60_000
    start = end - load.scrapes * SCRAPE_INTERVAL_MS
    step = load.samples_per_request
    requests = [_Request(first, min(step, load.series - first), start, load) for first in range(0, load.series, step)]
    for scrape in range(load.scrapes):
        for request in requests:
            yield request.at(start + scrape * SCRAPE_INTERVAL_MS, chance)
