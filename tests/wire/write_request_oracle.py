"""Routing the slow way: protobuf's own decoder, Python's sort, mmh3; without regard to the size of records."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mmh3

from tests.wire.histogram_oracle import histogram_is_valid
from tests.wire.labels_oracle import canonical, is_text, label_fields
from tests.wire.messages import WriteRequest
from tests.wire.relabel_oracle import relabel
from tests.wire.test_hashing import slow_jump

if TYPE_CHECKING:
    from wire.relabel import Rule

Place = tuple[int, tuple[str, str] | None]
"""A partition, and the replica whose records these are: its cluster and its name."""
HaLabels = tuple[bytes, bytes]
"""Names of the cluster's and the replica's label."""


@dataclass
class Outcome:
    """By place: (canonical labels, serialised samples, exemplars, histograms) per entry, in order."""

    entries: dict[Place, list[tuple[bytes, list[bytes], list[bytes], list[bytes]]]] = field(default_factory=dict)
    metadata: dict[int, list[bytes]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    series: int = 0
    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """By rules: samples, histograms and exemplars."""


def partition(data: bytes, seed: int, partitions: int) -> int:
    return slow_jump(mmh3.hash64(data, seed, signed=False)[0], partitions)


def label_refusal(pairs: list[tuple[bytes, bytes]], max_pairs: int) -> str:
    kept = sorted(pair for pair in pairs if pair[1])
    names = [name for name, _ in kept]
    if any(not name for name, _ in pairs):
        return "empty_label_name"
    if not all(is_text(text) for pair in pairs for text in pair):
        return "invalid_utf8"
    if len(kept) > max_pairs:
        return "too_many_labels"
    if len(set(names)) != len(names):
        return "duplicate_label"
    return "" if b"__name__" in names else "missing_name"


def relabelled(
    series: Any, pairs: list[tuple[bytes, bytes]], max_pairs: int, rules: "Sequence[Rule]"
) -> list[tuple[bytes, bytes]] | str | None:
    """The labels after all rules, or the reason to refuse them; None where they are dropped."""
    if not rules:
        return label_refusal(pairs, max_pairs) or [pair for pair in pairs if pair[1]]
    refusal = label_refusal(pairs, len(pairs))
    if refusal not in {"", "missing_name"}:
        return refusal
    left = relabel(rules, [pair for pair in pairs if pair[1]])
    return left if left is None else label_refusal(left, max_pairs) or left


def replica_of(pairs: list[tuple[bytes, bytes]], ha: HaLabels | None) -> tuple[str, str] | None:
    """Of the labels of a series that is not refused."""
    values = dict(pairs)
    cluster, replica = (values.get(name, b"") for name in ha or (b"", b""))
    return (cluster.decode(), replica.decode()) if 0 < len(cluster) <= 256 and 0 < len(replica) <= 256 else None


def _exemplar_refusal(exemplar: Any) -> str:
    if exemplar is None:
        return "invalid_symbols"
    texts = [text for label in exemplar.labels for text in (label.name, label.value)]
    return "" if all(map(is_text, texts)) else "invalid_utf8"


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data


@dataclass
class Rules:
    min_time: int
    max_time: int
    max_label_pairs: int
    rejected: Counter[str]

    def _bounds(self, timestamp: int) -> str:
        if timestamp < self.min_time:
            return "out_of_bounds_past"
        return "out_of_bounds_future" if timestamp > self.max_time else ""

    def _good(self, messages: Any, refusal: Callable[[Any], str]) -> list[bytes]:
        kept = []
        for message in messages:
            if reason := refusal(message):
                self.rejected[reason] += 1
            else:
                kept.append(_serialized(message))
        return kept

    def samples(self, series: Any) -> list[bytes]:
        return self._good(series.samples, lambda each: self._bounds(each.timestamp))

    def histograms(self, series: Any) -> list[bytes]:
        return self._good(
            series.histograms,
            lambda each: self._bounds(each.timestamp) or ("" if histogram_is_valid(each) else "invalid_histogram"),
        )

    def exemplars(self, series: Any) -> list[bytes]:
        return self._good(series.exemplars, _exemplar_refusal)

    def metadata_refusal(self, metadata: Any) -> str:
        name = metadata.metric_family_name
        if not all(map(is_text, (name, metadata.help, metadata.unit))):
            return "invalid_utf8"
        return "" if name else "missing_name"


def route(
    body: bytes,
    seed: int,
    min_time: int,
    max_time: int,
    *,
    partitions: int,
    max_label_pairs: int = 1024,
    ha: HaLabels | None = None,
    relabelling: "Sequence[Rule]" = (),
) -> Outcome:
    out = Outcome()
    rules = Rules(min_time, max_time, max_label_pairs, out.rejected)
    request = WriteRequest.FromString(body)
    for series in request.timeseries:
        pairs = [(label.name, label.value) for label in series.labels]
        add_series(out, rules, pairs, series, seed=seed, partitions=partitions, ha=ha, relabelling=relabelling)
    for metadata in request.metadata:
        add_metadata(out, rules, metadata, seed=seed, partitions=partitions)
    return out


def refuse_series(out: Outcome, reason: str, series: Any) -> None:
    out.rejected[reason] += max(1, len(series.samples) + len(series.histograms))


def add_series(
    out: Outcome,
    rules: Rules,
    sent: list[tuple[bytes, bytes]],
    series: Any,
    *,
    seed: int,
    partitions: int,
    ha: HaLabels | None,
    relabelling: "Sequence[Rule]",
) -> bool:
    """Whether its labels are stored; an exemplar that is None has none."""
    if relabelling and not (series.samples or series.histograms or series.exemplars):
        refusal = label_refusal(sent, len(sent))
        if refusal:
            refuse_series(out, refusal, series)
        return not refusal
    pairs = relabelled(series, sent, rules.max_label_pairs, relabelling)
    if isinstance(pairs, str):
        refuse_series(out, pairs, series)
        return False
    if pairs is None:
        out.dropped["samples"] += len(series.samples) + len(series.histograms)
        out.dropped["histograms"] += len(series.histograms)
        out.dropped["exemplars"] += len(series.exemplars)
        return False
    kept = rules.samples(series), rules.exemplars(series), rules.histograms(series)
    if any(kept):
        replica = replica_of(pairs, ha)
        labels = canonical([pair for pair in pairs if replica is None or ha is None or pair[0] != ha[1]])
        out.entries.setdefault((partition(labels, seed, partitions), replica), []).append((labels, *kept))
        out.series += 1
        out.samples += len(kept[0])
        out.exemplars += len(kept[1])
        out.histograms += len(kept[2])
    return True


def add_metadata(out: Outcome, rules: Rules, metadata: Any, *, seed: int, partitions: int) -> None:
    if refusal := rules.metadata_refusal(metadata):
        out.rejected[refusal] += 1
    else:
        place = partition(metadata.metric_family_name, seed, partitions)
        out.metadata.setdefault(place, []).append(_serialized(metadata))


def read_records(records: list[tuple[int, bytes]], replicas: dict[int, tuple[str, str]]) -> Outcome:
    """What a reader of the log finds, in the same terms."""
    out = Outcome()
    for number, (place, record) in enumerate(records):
        request = WriteRequest.FromString(record)
        for series in request.timeseries:
            kinds = (series.samples, series.exemplars, series.histograms)
            messages = [[_serialized(message) for message in each] for each in kinds]
            labels = label_fields((label.name, label.value) for label in series.labels)
            key = (place, replicas.get(number))
            out.entries.setdefault(key, []).append((labels, messages[0], messages[1], messages[2]))
        for metadata in request.metadata:
            out.metadata.setdefault(place, []).append(_serialized(metadata))
    return out
