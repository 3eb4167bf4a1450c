"""Remote-write 2.0 requests out of 1.0's: the same series, with their strings in a symbol table."""

from collections.abc import Iterable
from typing import Any

from tests.wire import messages_v2
from tests.wire.messages import WriteRequest


class Symbols:
    """A symbol table that grows with what is asked of it."""

    def __init__(self) -> None:
        self.texts = [b""]
        self._refs = {b"": 0}

    def ref(self, text: bytes) -> int:
        if text not in self._refs:
            self._refs[text] = len(self.texts)
            self.texts.append(text)
        return self._refs[text]

    def refs(self, labels: Iterable[Any]) -> list[int]:
        return [self.ref(text) for label in labels for text in (label.name, label.value)]


def series_v2(series: Any, symbols: Symbols, metadata: Any = None) -> Any:
    """A TimeSeries of 1.0 as one of 2.0; `metadata` is a MetricMetadata, whose family does not count."""
    made = messages_v2.TimeSeries(labels_refs=symbols.refs(series.labels))
    made.samples.extend(messages_v2.Sample.FromString(each.SerializeToString()) for each in series.samples)
    made.histograms.extend(messages_v2.Histogram.FromString(each.SerializeToString()) for each in series.histograms)
    for each in series.exemplars:
        made.exemplars.add(labels_refs=symbols.refs(each.labels), value=each.value, timestamp=each.timestamp)
    if metadata is not None:
        made.metadata.type = metadata.type
        made.metadata.help_ref = symbols.ref(metadata.help)
        made.metadata.unit_ref = symbols.ref(metadata.unit)
    return made


def request_v2(*entries: Any, metadata: Any = None) -> Any:
    """A Request of TimeSeries of 1.0, each with the same metadata."""
    symbols = Symbols()
    made = [series_v2(each, symbols, metadata) for each in entries]
    return messages_v2.Request(symbols=symbols.texts, timeseries=made)


def as_v2(body: bytes) -> bytes:
    """The series of a 1.0 body, without its metadata."""
    data: bytes = request_v2(*WriteRequest.FromString(body).timeseries).SerializeToString()
    return data
