"""The messages of remote-write 2.0, and 1.0's where they are the same; see messages.py."""

from typing import Final

from tests.wire.message_builder import message_classes
from tests.wire.messages import MESSAGES

_MESSAGES: Final = {
    "Request": "4 symbols bytes*, 5 timeseries TimeSeries*",
    "TimeSeries": "1 labels_refs uint32*, 2 samples Sample*, 3 histograms Histogram*, 4 exemplars Exemplar*, "
    "5 metadata Metadata",
    "UnpackedRequest": "4 symbols bytes*, 5 timeseries UnpackedTimeSeries*",
    "UnpackedTimeSeries": "1 labels_refs uint32+, 2 samples Sample*, 3 histograms Histogram*, 4 exemplars Exemplar*, "
    "5 metadata Metadata",
    "Exemplar": "1 labels_refs uint32*, 2 value double, 3 timestamp int64",
    "Metadata": "1 type int32, 3 help_ref uint32, 4 unit_ref uint32",
    **{name: MESSAGES[name] for name in ("Sample", "Histogram", "BucketSpan")},
}

_classes = message_classes("io.prometheus.write.v2", _MESSAGES)

Request = _classes["Request"]
UnpackedRequest = _classes["UnpackedRequest"]
TimeSeries = _classes["TimeSeries"]
Exemplar = _classes["Exemplar"]
Metadata = _classes["Metadata"]
Sample = _classes["Sample"]
Histogram = _classes["Histogram"]
