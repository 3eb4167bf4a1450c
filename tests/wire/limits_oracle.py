"""Routing under limits the slow way: which series and samples are stored, refused, or only counted."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import mmh3

from tests.wire.histogram_oracle import histogram_is_valid
from tests.wire.labels_oracle import canonical, is_text
from tests.wire.messages import WriteRequest
from tests.wire.write_request_oracle import label_refusal

HARD_LABEL_PAIRS = 1024


@dataclass
class Limits:
    """By reason, how much may be; a reason that is missing has no limit. Those in `shadow` only count."""

    most: dict[str, int]
    shadow: frozenset[str]
    times: tuple[int, int]
    outer_times: tuple[int, int]
    active: set[int] = field(default_factory=set)
    """Hashes of series that are active already."""


@dataclass
class Stored:
    labels: bytes
    kinds: tuple[list[bytes], list[bytes], list[bytes]] = field(default_factory=lambda: ([], [], []))
    """Samples, exemplars, histograms."""

    @property
    def samples(self) -> int:
        return len(self.kinds[0]) + len(self.kinds[2])


class Walk:
    """One request under some limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.stored: list[Stored] = []
        self.rejected = Counter[str]()
        self.shadowed = Counter[str]()

    def route(self, body: bytes, seed: int) -> None:
        for series in WriteRequest.FromString(body).timeseries:
            self._route_series(series)
        for reason in ("too_many_samples", "too_many_exemplars"):
            over = self._stored(reason) - self.limits.most.get(reason, 1 << 60)
            if reason in self.limits.shadow and over > 0:
                self.shadowed[reason] += over
        self.stored = [each for each in self.stored if self._may_be_active(each, seed)]

    def _stored(self, reason: str) -> int:
        if reason == "too_many_samples":
            return sum(each.samples for each in self.stored)
        return sum(len(each.kinds[1]) for each in self.stored)

    def _beyond(self, reason: str, value: int, count: int) -> bool:
        """Whether this limit refuses; counts where it would."""
        if value <= self.limits.most.get(reason, value):
            return False
        if reason in self.limits.shadow:
            self.shadowed[reason] += count
            return False
        return True

    def _route_series(self, series: Any) -> None:
        pairs = [(label.name, label.value) for label in series.labels]
        kept = [pair for pair in pairs if pair[1]]
        verdicts = [
            [(each, self._judge(kind, each)) for each in messages]
            for kind, messages in enumerate((series.samples, series.exemplars, series.histograms))
        ]
        samples = len(series.samples) + len(series.histograms)
        has_exemplars = any(not reason for _, reason in verdicts[1])
        at_hand = samples or int(has_exemplars)
        hard = HARD_LABEL_PAIRS
        if "too_many_labels" not in self.limits.shadow:
            hard = self.limits.most.get("too_many_labels", hard)
        refusal = label_refusal(pairs, hard)
        if not refusal and at_hand:
            sizes = {
                "too_many_labels": len(kept),
                "label_name_too_long": max(len(name) for name, _ in kept),
                "label_value_too_long": max(len(value) for _, value in kept),
            }
            refusal = next((reason for reason, size in sizes.items() if self._beyond(reason, size, at_hand)), "")
        if refusal:
            self.rejected[refusal] += max(1, samples)
            return
        if not series.exemplars and not samples:
            return
        if at_hand and self._beyond("too_many_series", len(self.stored) + 1, at_hand):
            self.rejected["too_many_series"] += at_hand
            return
        self._store(Stored(canonical(pairs)), verdicts)

    def _judge(self, kind: int, element: Any) -> str:
        if kind == 1:
            return "" if all(is_text(each.name) and is_text(each.value) for each in element.labels) else "invalid_utf8"
        (least, most), (outer_least, outer_most) = self.limits.times, self.limits.outer_times
        past, future = "out_of_bounds_past", "out_of_bounds_future"
        if element.timestamp < least:
            if element.timestamp < outer_least or past not in self.limits.shadow:
                return past
            self.shadowed[past] += 1
        elif element.timestamp > most:
            if element.timestamp > outer_most or future not in self.limits.shadow:
                return future
            self.shadowed[future] += 1
        if kind == 0:
            return ""
        if not histogram_is_valid(element):
            return "invalid_histogram"
        sides = ("negative_deltas", "positive_deltas", "negative_counts", "positive_counts")
        buckets = max(sum(len(getattr(element, side)) for side in sides), len(element.custom_values))
        return "too_many_buckets" if self._beyond("too_many_buckets", buckets, 1) else ""

    def _store(self, series: Stored, verdicts: list[list[tuple[Any, str]]]) -> None:
        self.stored.append(series)
        for kind, elements in enumerate(verdicts):
            limit = "too_many_exemplars" if kind == 1 else "too_many_samples"
            for element, verdict in elements:
                reason = verdict
                full = self._stored(limit) >= self.limits.most.get(limit, 1 << 60)
                if not reason and limit not in self.limits.shadow and full:
                    reason = limit
                if reason:
                    self.rejected[reason] += 1
                else:
                    series.kinds[kind].append(element.SerializeToString(deterministic=True))
        if not any(series.kinds):
            self.stored.pop()

    def _may_be_active(self, series: Stored, seed: int) -> bool:
        hashed = mmh3.hash64(series.labels, seed, signed=False)[0]
        if hashed in self.limits.active:
            return True
        if self._beyond("active_series", len(self.limits.active) + 1, series.samples or 1):
            self.rejected["active_series"] += series.samples or 1
            return False
        if len(self.limits.active) < self.limits.most.get("active_series", 1 << 60):
            self.limits.active.add(hashed)
        return True
