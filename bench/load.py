"""The load of every benchmark: remote-write requests, made before the clock starts.

Each request holds `samples_per_request` series of one sample each, as Prometheus sends them, and belongs to one tenant.
Bodies are compressed with snappy, and rotate through all series.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import cramjam

from bench.series import LEAST_LABELS, generation_of, labels_of
from bench.values import NEXT, Histogram, Shape
from tests.wire.labels_oracle import canonical, text_field, varint

SCRAPE_INTERVAL_MS = 15_000
_WINDOW_MS = 7_200_000
_HOUR_MS = 3_600_000
_MARK = bytes.fromhex("7ff8dead beef5a5a")
_HISTOGRAMS_FIELD = {1: 4, 2: 3}
"""Of a series, by the version of remote-write."""


@dataclass(frozen=True)
class Load:
    series: int
    scrapes: int
    samples_per_request: int = 2000
    message: int = 1
    """Remote-write 1.0 or 2.0."""
    metadata: bool = False
    """Whether each series of 2.0 says its type and help, as Prometheus does."""
    labels: int = 10
    churn: float = 0.0
    """Share of the series that is replaced by new ones in an hour of the load's time."""
    values: Shape = "mixed"
    replicas: int = 1
    """2 is an HA pair: both send all of it, and say who they are in `__replica__`."""
    tenants: int = 1
    """Each has as many of the series; request number n is of tenant n modulo this."""

    def __post_init__(self) -> None:
        if self.labels < LEAST_LABELS:
            raise ValueError(f"a load needs {LEAST_LABELS} labels to tell its series apart (got {self.labels})")
        if self.series % self.tenants:
            raise ValueError(f"{self.series} series cannot be shared out evenly among {self.tenants} tenants")

    @property
    def samples(self) -> int:
        """Different ones: what an HA pair sends twice counts once."""
        return self.series * self.scrapes

    @property
    def requests_per_scrape(self) -> int:
        """Of each replica."""
        return self.tenants * -(-(self.series // self.tenants) // self.samples_per_request)


class _Symbols:
    """The symbol table of a 2.0 request, as it grows."""

    def __init__(self) -> None:
        self._refs = {"": 0}

    def ref(self, text: str) -> bytes:
        return varint(self._refs.setdefault(text, len(self._refs)))

    def fields(self) -> bytes:
        return b"".join(text_field(4, text.encode()) for text in self._refs)


class _Request:
    """One request's uncompressed bytes, whose values and times are rewritten in place while its label sets stay."""

    def __init__(self, first: int, count: int, load: Load, replica: str) -> None:
        self._indices = range(first, first + count)
        self._load = load
        self._replica = replica
        self._generations: list[int] = []
        self._parts: list[tuple[bytes, bytes]] = []
        self._symbols = b""
        self._values = [float(index % 1000) for index in self._indices]
        self._histograms = [Histogram() for _ in self._indices] if load.values == "histogram" else []
        self._body = bytearray()
        self._at: list[int] = []

    def at(self, time_ms: int, since_ms: int, chance: random.Random) -> bytes:
        """The compressed body of one scrape, so long after the load's begin."""
        hours = since_ms / _HOUR_MS
        generations = [generation_of(index, hours, self._load.churn) for index in self._indices]
        if generations != self._generations:
            self._generations = generations
            self._lay_out()
            self._body.clear()
        if self._histograms:
            return bytes(cramjam.snappy.compress_raw(self._with_histograms(time_ms, chance)))
        self._fill(time_ms, chance)
        return bytes(cramjam.snappy.compress_raw(self._body))

    def _lay_out(self) -> None:
        """Each series' bytes before and after its sample."""
        symbols = _Symbols()
        self._parts.clear()
        for index, generation in zip(self._indices, self._generations, strict=True):
            labels = labels_of(index, self._load.labels, generation, self._replica)
            if self._load.message == 1:
                self._parts.append((canonical((n.encode(), v.encode()) for n, v in labels.items()), b""))
                continue
            refs = b"".join(symbols.ref(text) for pair in labels.items() for text in pair)
            metadata = b""
            if self._load.metadata:
                help_ref = symbols.ref(f"How many {labels['__name__'].replace('_', ' ')} there were, by handler.")
                metadata = text_field(5, b"\x08\x01\x18" + help_ref)
            self._parts.append((text_field(1, refs), metadata))
        self._symbols = symbols.fields() if self._load.message != 1 else b""

    def _entry(self, slot: int, sample: bytes) -> bytes:
        before, after = self._parts[slot]
        return text_field(1 if self._load.message == 1 else 5, before + sample + after)

    def _with_histograms(self, time_ms: int, chance: random.Random) -> bytes:
        field = _HISTOGRAMS_FIELD[self._load.message]
        entries = [self._symbols]
        for slot, histogram in enumerate(self._histograms):
            histogram.observe(chance)
            entries.append(self._entry(slot, text_field(field, histogram.message(time_ms))))
        return b"".join(entries)

    def _fill(self, time_ms: int, chance: random.Random) -> None:
        stamp = b"\x10" + varint(time_ms)
        if not self._body:
            # A mark in place of the sample's value: where it stands is known once the whole entry is written.
            sample = text_field(2, b"\x09" + _MARK + stamp)
            self._at.clear()
            self._body += self._symbols
            for slot in range(len(self._parts)):
                entry = self._entry(slot, sample)
                self._at.append(len(self._body) + entry.rindex(_MARK))
                self._body += entry
        body, values, following = self._body, self._values, NEXT[self._load.values]
        for slot, at in enumerate(self._at):
            values[slot] = following(slot, values[slot], chance)
            struct.pack_into("<d", body, at, values[slot])
            body[at + 8 : at + 8 + len(stamp)] = stamp


def bodies(load: Load, now_ms: int, seed: int = 1) -> Iterator[bytes]:
    """All requests in the order of sending, scrape by scrape; times lie in the two-hour window before the present."""
    chances = [random.Random(seed) for _ in range(load.replicas)]
    end = now_ms // _WINDOW_MS * _WINDOW_MS - 60_000
    start = end - load.scrapes * SCRAPE_INTERVAL_MS
    each, step = load.series // load.tenants, load.samples_per_request
    requests = [
        [
            _Request(tenant * each + first, min(step, each - first), load, replica)
            for first in range(0, each, step)
            for tenant in range(load.tenants)
        ]
        for replica in (["a", "b"][: load.replicas] if load.replicas > 1 else [""])
    ]
    for scrape in range(load.scrapes):
        since = scrape * SCRAPE_INTERVAL_MS
        for mine, chance in zip(requests, chances, strict=True):
            for request in mine:
                yield request.at(start + since, since, chance)
