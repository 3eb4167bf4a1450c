"""The prometheus messages as protobuf's own runtime decodes them: the oracle of the wire kernels.

Built from the field tables of docs/formats.md, with protobuf's descriptors and without generated code.
"""

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from google.protobuf.message import Message

_T = descriptor_pb2.FieldDescriptorProto
_MANY: Final = "*"
_SCALARS: Final = {
    "bytes": _T.TYPE_BYTES,  # strings too: what is not UTF-8 must be decodable to be refused by name
    "double": _T.TYPE_DOUBLE,
    "int32": _T.TYPE_INT32,
    "int64": _T.TYPE_INT64,
    "uint32": _T.TYPE_UINT32,
    "uint64": _T.TYPE_UINT64,
    "sint32": _T.TYPE_SINT32,
    "sint64": _T.TYPE_SINT64,
}
_MESSAGES: Final = {
    "WriteRequest": "1 timeseries TimeSeries*, 3 metadata MetricMetadata*",
    "TimeSeries": "1 labels Label*, 2 samples Sample*, 3 exemplars Exemplar*, 4 histograms Histogram*",
    "Label": "1 name bytes, 2 value bytes",
    "Sample": "1 value double, 2 timestamp int64",
    "Exemplar": "1 labels Label*, 2 value double, 3 timestamp int64",
    "MetricMetadata": "1 type int32, 2 metric_family_name bytes, 4 help bytes, 5 unit bytes",
    "Histogram": "1 count_int uint64 |count, 2 count_float double |count, 3 sum double, 4 schema sint32, "
    "5 zero_threshold double, 6 zero_count_int uint64 |zero_count, 7 zero_count_float double |zero_count, "
    "8 negative_spans BucketSpan*, 9 negative_deltas sint64*, 10 negative_counts double*, "
    "11 positive_spans BucketSpan*, 12 positive_deltas sint64*, 13 positive_counts double*, "
    "14 reset_hint int32, 15 timestamp int64, 16 custom_values double*, 17 start_timestamp int64",
    "BucketSpan": "1 offset sint32, 2 length uint32",
    "ReadRequest": "1 queries Query*, 2 accepted_response_types int32*",
    "Query": "1 start_timestamp_ms int64, 2 end_timestamp_ms int64, 3 matchers LabelMatcher*, 4 hints ReadHints",
    "LabelMatcher": "1 type int32, 2 name bytes, 3 value bytes",
    "ReadHints": "1 step_ms int64, 2 func bytes, 5 grouping bytes*",
    "ReadResponse": "1 results QueryResult*",
    "QueryResult": "1 timeseries TimeSeries*",
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="prometheus.proto", package="prometheus", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            number, field_name, kind, *oneof = text.split()
            field = message.field.add(name=field_name, number=int(number), label=_T.LABEL_OPTIONAL)
            if kind.endswith(_MANY):
                field.label = _T.LABEL_REPEATED
                kind = kind.removesuffix(_MANY)
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type = _T.TYPE_MESSAGE
                field.type_name = f".prometheus.{kind}"
            if oneof:
                names = [each.name for each in message.oneof_decl]
                if oneof[0][1:] not in names:
                    message.oneof_decl.add(name=oneof[0][1:])
                    names.append(oneof[0][1:])
                field.oneof_index = names.index(oneof[0][1:])
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def _message(name: str) -> type[Any]:
    found: type[Message] = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"prometheus.{name}"))
    return found


WriteRequest = _message("WriteRequest")
TimeSeries = _message("TimeSeries")
Label = _message("Label")
Sample = _message("Sample")
Exemplar = _message("Exemplar")
Histogram = _message("Histogram")
BucketSpan = _message("BucketSpan")
MetricMetadata = _message("MetricMetadata")
ReadRequest = _message("ReadRequest")
ReadResponse = _message("ReadResponse")
QueryResult = _message("QueryResult")
