"""What became of what was sent: in the log, in remote reads, in blocks."""

import struct
from typing import Any

import cramjam

from broker.open import open_reader
from broker.record import tenant_of
from broker.settings import BrokerSettings
from forebay.parts import LOG
from tests.e2e.forebay import ForebayServer
from tests.e2e.samples import STALE_BITS, Samples
from tests.faults.client import call
from tests.wire.messages import Histogram, ReadRequest, ReadResponse, WriteRequest


def records(server: ForebayServer, tenant: str) -> list[bytes]:
    """The values of a tenant's records, in the order of partitions and offsets."""
    reader = open_reader(BrokerSettings(), server.data / LOG)
    try:
        every = [each for partition in range(reader.partitions) for each in reader.read(partition, 0, 1 << 30)]
        return [each.value for each in every if tenant_of(each) == tenant]
    finally:
        reader.close()


def _bits(value: float) -> int:
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


def _side(spans: Any, deltas: Any, counts: Any) -> tuple[tuple[int, int], ...]:
    """Bucket index to absolute count, or its bits, without empty ones."""
    index, absolute, found = 0, 0, []
    values = iter(deltas or counts)
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            value = next(values)
            absolute = absolute + value if deltas else _bits(value)
            if absolute:
                found.append((index, absolute))
            index += 1
    return tuple(found)


def expanded(data: bytes) -> tuple[object, ...]:
    """A Histogram message in the terms of tests.e2e.samples."""
    h = Histogram.FromString(data)
    is_float = h.WhichOneof("count") == "count_float"
    sum_bits = _bits(h.sum)
    stale = sum_bits == STALE_BITS
    return (
        is_float,
        0 if stale else h.schema,
        0 if stale else h.zero_threshold,
        sum_bits,
        _bits(h.count_float) if is_float else h.count_int,
        _bits(h.zero_count_float) if is_float else h.zero_count_int,
        _side(h.positive_spans, h.positive_deltas, h.positive_counts),
        _side(h.negative_spans, h.negative_deltas, h.negative_counts),
        tuple(h.custom_values),
    )


def remote_read(server: ForebayServer, tenant: str) -> Samples:
    """Everything of a tenant, as it is answered now."""
    request = ReadRequest()
    request.queries.add(start_timestamp_ms=0, end_timestamp_ms=1 << 60)
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Scope-OrgID": tenant}
    answer = call("POST", f"{server.url}/api/v1/read", body, headers)
    assert answer.status == 200, answer.text
    found: Samples = {}
    for series in ReadResponse.FromString(bytes(cramjam.snappy.decompress_raw(answer.body))).results[0].timeseries:
        labels = tuple((label.name, label.value) for label in series.labels)
        for each in series.samples:
            found.setdefault((labels, each.timestamp), []).append(_bits(each.value))
        for each in series.histograms:
            found.setdefault((labels, each.timestamp), []).append(expanded(each.SerializeToString()))
    return found


def entries(value: bytes) -> list[bytes]:
    """The TimeSeries of a record, as protobuf writes them: nothing that was sent may be lost on the way."""
    return [each.SerializeToString() for each in WriteRequest.FromString(value).timeseries]
