"""Routing a remote-write 2.0 request the slow way: every reference looked up, then as 1.0 (write_request_oracle.py)."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.wire import messages, messages_v2
from tests.wire.write_request_oracle import HaLabels, Outcome, Rules, add_metadata, add_series, refuse_series

if TYPE_CHECKING:
    from wire.relabel import Rule

_SUFFIXES = {3: (b"_bucket", b"_count", b"_sum"), 4: (b"_bucket", b"_gcount", b"_gsum"), 5: (b"_count", b"_sum")}


def _pairs(refs: Iterable[int], symbols: list[bytes]) -> list[tuple[bytes, bytes]] | None:
    refs = list(refs)
    if len(refs) % 2 or any(ref >= len(symbols) for ref in refs):
        return None
    texts = [symbols[ref] for ref in refs]
    return list(zip(texts[::2], texts[1::2], strict=True))


def _exemplar(exemplar: Any, symbols: list[bytes]) -> Any:
    """As 1.0 has it, or None."""
    pairs = _pairs(exemplar.labels_refs, symbols)
    if pairs is None:
        return None
    labels = [messages.Label(name=name, value=value) for name, value in pairs]
    return messages.Exemplar(labels=labels, value=exemplar.value, timestamp=exemplar.timestamp)


def _family(name: bytes, kind: int) -> bytes:
    for suffix in _SUFFIXES.get(kind, ()):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def _metadata(series: Any, pairs: list[tuple[bytes, bytes]], symbols: list[bytes]) -> Any:
    """As 1.0 has it, or None."""
    said = series.metadata
    if max(said.help_ref, said.unit_ref) >= len(symbols):
        return None
    name = next(value for name, value in pairs if name == b"__name__" and value)
    return messages.MetricMetadata(
        type=said.type,
        metric_family_name=_family(name, said.type),
        help=symbols[said.help_ref],
        unit=symbols[said.unit_ref],
    )


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
    request = messages_v2.Request.FromString(body)
    symbols = list(request.symbols)
    known: list[Any] = []
    for series in request.timeseries:
        pairs = _pairs(series.labels_refs, symbols)
        if pairs is None:
            refuse_series(out, "invalid_symbols", series)
            continue
        as_v1 = SimpleNamespace(
            samples=series.samples,
            histograms=series.histograms,
            exemplars=[_exemplar(each, symbols) for each in series.exemplars],
        )
        labelled = add_series(
            out, rules, pairs, as_v1, seed=seed, partitions=partitions, ha=ha, relabelling=relabelling
        )
        said = series.metadata
        if labelled and (b"__name__" in dict(pairs)) and (said.type or said.help_ref or said.unit_ref):
            found = _metadata(series, pairs, symbols)
            if found is None:
                out.rejected["invalid_symbols"] += 1
            elif (key := (found.metric_family_name, said.type, said.help_ref, said.unit_ref)) not in known:
                known.append(key)
                add_metadata(out, rules, found, seed=seed, partitions=partitions)
    return out
