"""The prometheus messages as protobuf's own runtime decodes them: the oracle of the wire kernels.

Built from the field tables of docs/formats.md.
"""

from typing import Final

from tests.wire.message_builder import message_classes

MESSAGES: Final = {
    "WriteRequest": "1 timeseries TimeSeries*, 3 metadata MetricMetadata*",
    "TimeSeries": "1 labels Label*, 2 samples Sample*, 3 exemplars Exemplar*, 4 histograms Histogram*",
    "Label": "1 name bytes, 2 value bytes",
    "Sample": "1 value double, 2 timestamp int64, 3 start_timestamp int64",
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

_classes = message_classes("prometheus", MESSAGES)

WriteRequest = _classes["WriteRequest"]
TimeSeries = _classes["TimeSeries"]
Label = _classes["Label"]
Sample = _classes["Sample"]
Exemplar = _classes["Exemplar"]
Histogram = _classes["Histogram"]
BucketSpan = _classes["BucketSpan"]
MetricMetadata = _classes["MetricMetadata"]
ReadRequest = _classes["ReadRequest"]
ReadResponse = _classes["ReadResponse"]
QueryResult = _classes["QueryResult"]
