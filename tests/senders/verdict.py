"""Whether everything that was scraped arrived, once and bit for bit, and whether the senders noticed nothing."""

import struct
from collections.abc import Iterable, Iterator

from tests.chaos.topic import LogRecord
from tests.e2e.samples import STALE_BITS, Samples
from tests.senders.run import PROMETHEUS, VMAGENT, Plan, Result
from tests.wire.messages import WriteRequest
from tsdb.chunk import Labels

LOST = ("failed_total", "dropped_total")
"""How the names of a Prometheus' counters end that must stay 0."""


def problems(plan: Plan, result: Result) -> list[str]:
    """What is wrong; empty where all is well."""
    return [*_counters(plan, result), *_samples(plan, result), *_annotations(result), *_others(result)]


def _is_cut(plan: Plan, labels: Labels) -> bool:
    """Whether the limits are meant to refuse the series."""
    return plan.limits and dict(labels)[b"__name__"] == b"long_story"


def _counters(plan: Plan, result: Result) -> Iterator[str]:
    for name in PROMETHEUS:
        counters = result.counters[name]
        lost = {key: value for key, value in counters.items() if key.endswith(LOST) and value}
        if plan.limits and name == "rw2":  # the one sender that is told how many were written
            cut = sum(_is_cut(plan, labels) for labels, _ in result.held[name])
            told = lost.pop("prometheus_remote_storage_samples_failed_total", 0)
            if not 0 < cut <= told:
                yield f"{name}: {cut} samples were meant to be cut, and it was told of {told:g}"
        elif plan.limits:  # 1.0 has no counts: a batch of which a part is refused counts as failed, and is stored
            lost.pop("prometheus_remote_storage_samples_failed_total", 0)
            lost.pop("prometheus_remote_storage_histograms_failed_total", 0)
            lost.pop("prometheus_remote_storage_exemplars_failed_total", 0)
        if lost:
            yield f"{name}: lost by its own count: {lost}"
    if not any(result.counters[name].get("prometheus_remote_storage_samples_retried_total") for name in PROMETHEUS):
        yield "nothing was ever retried: the senders met no trouble"
    for key, value in result.counters[VMAGENT].items():
        if "dropped" in key and value and not plan.limits:
            yield f"{VMAGENT}: {key} is {value:g}"


def _samples(plan: Plan, result: Result) -> Iterator[str]:
    for name, kind in PROMETHEUS.items():
        held = {key: values for key, values in result.held[name].items() if not _is_cut(plan, key[0])}
        stored = result.stored.get(kind.tenant, {})
        if len(held) < 1000:
            yield f"{name}: held only {len(held)} samples"
        if not any(isinstance(values[0], tuple) for values in held.values()):
            yield f"{name}: held no native histogram"
        yield from _compare(name, held, stored)
    turns = sorted(_turns(result.stored.get(VMAGENT, {})))
    if turns != list(range(1, result.turns[VMAGENT] + 1)):
        yield f"{VMAGENT}: of {result.turns[VMAGENT]} scrapes {len(turns)} are stored"


def _compare(name: str, held: Samples, stored: Samples) -> Iterator[str]:
    missing = held.keys() - stored.keys()
    extra = stored.keys() - held.keys()
    # Copies in two blocks, of a batch that was sent again, must be alike; readers and the compactor make them one.
    other = [key for key in held.keys() & stored.keys() if set(map(str, stored[key])) != set(map(str, held[key]))]
    for what, keys in (("missing", missing), ("never scraped", extra), ("other bits", other)):
        if keys:
            yield f"{name}: {what}: {len(keys)} of {len(held)}, such as {sorted(keys)[:3]}"


def _turns(stored: Samples) -> set[int]:
    """Values of `turns_total`, from their bits."""
    return {
        int(struct.unpack(">d", bits.to_bytes(8, "big"))[0])
        for (labels, _), (bits, *_) in stored.items()
        if dict(labels)[b"__name__"] == b"turns_total" and isinstance(bits, int) and bits != STALE_BITS
    }


def _annotations(result: Result) -> Iterator[str]:
    traces, families = _in_log(result.log)
    for name, kind in PROMETHEUS.items():
        held = result.exemplars[name]
        if len(held) < 10:
            yield f"{name}: scraped only {len(held)} exemplars"
        if missing := held - traces.get(kind.tenant, set()):
            yield f"{name}: {len(missing)} of {len(held)} exemplars are not in the log, such as {sorted(missing)[:3]}"
        if (
            kind.message
        ):  # Prometheus 3.15 sends an empty metadata message with every series of 2.0, whatever is scraped
            continue
        wanted = {("turns", "Scrapes answered."), ("latency_seconds", "Of nothing in particular.")}
        found = {(family.removesuffix("_total"), text) for family, text in families.get(kind.tenant, set())}
        if wanted - found:
            yield f"{name}: metadata is not in the log: {wanted - found}"


def _in_log(records: Iterable[LogRecord]) -> tuple[dict[str, set[str]], dict[str, set[tuple[str, str]]]]:
    """Trace ids of exemplars, and (family, help) of metadata, by tenant."""
    traces: dict[str, set[str]] = {}
    families: dict[str, set[tuple[str, str]]] = {}
    for record in records:
        request = WriteRequest()
        request.ParseFromString(record.value)
        tenant = record.key.decode()
        for entry in request.timeseries:
            for exemplar in entry.exemplars:
                traces.setdefault(tenant, set()).update(label.value.decode() for label in exemplar.labels)
        families.setdefault(tenant, set()).update(
            (each.metric_family_name.decode(), each.help.decode()) for each in request.metadata
        )
    return traces, families


def _others(result: Result) -> Iterator[str]:
    if result.audit:
        yield f"audit: {result.audit}"
    for key, value in result.gateway.items():
        if "requests_total" in key and 'code="500"' in key and value:
            yield f"gateway: {value:g} requests were answered with 500"
