"""What a remote-write 2.0 request says, in the form in which blocks are compared."""

import struct
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.e2e.samples import STALE_BITS, Samples
from tsdb.chunk import Labels

_T = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "string": _T.TYPE_STRING,
    "double": _T.TYPE_DOUBLE,
    "int32": _T.TYPE_INT32,
    "int64": _T.TYPE_INT64,
    "uint32": _T.TYPE_UINT32,
    "uint64": _T.TYPE_UINT64,
    "sint32": _T.TYPE_SINT32,
    "sint64": _T.TYPE_SINT64,
}
_MESSAGES: Final = {
    "Request": "4 symbols string*, 5 timeseries TimeSeries*",
    "TimeSeries": "1 labels_refs uint32*, 2 samples Sample*, 3 histograms Histogram*, 4 exemplars Exemplar*, "
    "5 metadata Metadata",
    "Sample": "1 value double, 2 timestamp int64, 3 start_timestamp int64",
    "Exemplar": "1 labels_refs uint32*, 2 value double, 3 timestamp int64",
    "Metadata": "1 type int32, 3 help_ref uint32, 4 unit_ref uint32",
    "Histogram": "1 count_int uint64, 3 sum double, 4 schema sint32, 5 zero_threshold double, 6 zero_count_int uint64, "
    "8 negative_spans BucketSpan*, 9 negative_deltas sint64*, 11 positive_spans BucketSpan*, "
    "12 positive_deltas sint64*, 14 reset_hint int32, 15 timestamp int64, 16 custom_values double*, "
    "17 start_timestamp int64",
    "BucketSpan": "1 offset sint32, 2 length uint32",
}


def _request() -> type[Any]:
    file = descriptor_pb2.FileDescriptorProto(name="otlp_v2.proto", package="otlp_v2", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            number, field_name, kind = text.split()
            field = message.field.add(name=field_name, number=int(number))
            field.label = _T.LABEL_REPEATED if kind.endswith("*") else _T.LABEL_OPTIONAL
            kind = kind.removesuffix("*")
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type = _T.TYPE_MESSAGE
                field.type_name = f".otlp_v2.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName("otlp_v2.Request"))
    return found


Request = _request()


def labels_of(request: Any, refs: Iterable[int]) -> Labels:
    texts = [request.symbols[ref].encode() for ref in refs]
    pairs = tuple(sorted(zip(texts[::2], texts[1::2], strict=True)))
    assert len({name for name, _ in pairs}) == len(pairs), pairs
    assert all(value for _, value in pairs), pairs
    return pairs


def samples_of(bodies: Iterable[bytes]) -> Samples:
    found: Samples = {}
    for body in bodies:
        request = Request.FromString(body)
        assert request.symbols[0] == ""
        assert len(set(request.symbols)) == len(request.symbols)
        for series in request.timeseries:
            labels = labels_of(request, series.labels_refs)
            for sample in series.samples:
                (bits,) = struct.unpack("<Q", struct.pack("<d", sample.value))
                found.setdefault((labels, sample.timestamp), []).append(bits)
            for histogram in series.histograms:
                found.setdefault((labels, histogram.timestamp), []).append(_expanded(histogram))
    return found


def exemplars_of(bodies: Iterable[bytes]) -> set[tuple[Labels, Labels, int, float]]:
    """Of each: the series' labels, its own, its time and value."""
    found = set()
    for body in bodies:
        request = Request.FromString(body)
        for series in request.timeseries:
            labels = labels_of(request, series.labels_refs)
            for each in series.exemplars:
                found.add((labels, labels_of(request, each.labels_refs), each.timestamp, each.value))
    return found


def _expanded(histogram: Any) -> tuple[object, ...]:
    (sum_bits,) = struct.unpack("<Q", struct.pack("<d", histogram.sum))
    is_stale = sum_bits == STALE_BITS
    return (
        False,
        0 if is_stale else histogram.schema,
        0 if is_stale else histogram.zero_threshold,
        sum_bits,
        histogram.count_int,
        histogram.zero_count_int,
        _side(histogram.positive_spans, histogram.positive_deltas),
        _side(histogram.negative_spans, histogram.negative_deltas),
        tuple(histogram.custom_values),
    )


def _side(spans: Any, deltas: Any) -> tuple[tuple[int, int], ...]:
    index = absolute = 0
    found, rest = [], iter(deltas)
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            absolute += next(rest)
            if absolute:
                found.append((index, absolute))
            index += 1
    assert not list(rest)
    return tuple(found)
