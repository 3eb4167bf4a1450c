"""From the bytes of a request to an ExportMetricsServiceRequest, within bounds of memory."""

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from forebay.errors import InvalidData
from gateway.otlp.negotiation import Form
from wire.decoded_size import DecodedSize
from wire.snappy import BodyTooLarge

_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b"
_MAX_MEMBERS = 8  # each costs a copy of what follows it; senders make one
_NUMBERS: Final = -1
_NUMBER: Final = -2
_OBJECT: Final = 40  # a message's head, the place of a pointer to it, and what growth of a repeated field leaves behind
_PLACE: Final = 8  # of a field
_TEXT_PLACE: Final = 16
_JSON_BYTE: Final = 48  # a message of three characters becomes a dictionary of 64 bytes, and an object


def inflate(body: bytes, max_bytes: int) -> bytes:
    """The content of gzip's members. Never holds more than `max_bytes` of it.

    Raises:
        BodyTooLarge: there is more; one byte of it is all that is looked at.
        InvalidData: not gzip, corrupt, or cut off.
    """
    parts: list[bytes] = []
    size = 0
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(body, max_bytes - size + 1)
        except zlib.error as error:
            raise InvalidData(f"not gzip: bytes={len(body)} reason={error}") from error
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise too_large(size, max_bytes)
        if not member.eof:
            raise InvalidData(f"gzip body is cut off: bytes={len(body)}")
        body = member.unused_data
        if not body:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise InvalidData(f"gzip body has too many members: max={_MAX_MEMBERS}")


def claimed_size(body: bytes) -> int:
    """Bytes that gzip's last member says it holds. Raises InvalidData where the body is not gzip."""
    if not body.startswith(_MAGIC):
        raise InvalidData(f"not gzip: bytes={len(body)}")
    return int.from_bytes(body[-4:], "little")


def decoded_size(body: bytes, form: Form) -> int:
    """Bytes that the objects of a body take, at most. Raises InvalidData where it is malformed protobuf."""
    return _JSON_BYTE * len(body) if form.is_json else _DECODED_SIZE.of(body)


def decode(body: bytes, form: Form) -> ExportMetricsServiceRequest:
    """Raises InvalidData where it is no such message. `decoded_size` says how much memory it needs."""
    return decode_json(body) if form.is_json else decode_protobuf(body)


def decode_protobuf(body: bytes) -> ExportMetricsServiceRequest:
    """Raises InvalidData where it is no such message."""
    try:
        return ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise InvalidData(f"not an ExportMetricsServiceRequest: bytes={len(body)} reason={error}") from error


def decode_json(body: bytes) -> ExportMetricsServiceRequest:
    """OTLP's JSON is protobuf's, but for trace and span ids in hex and unknown fields that are left out.

    Raises InvalidData where it is not.
    """
    try:
        request = json.loads(body)
        _ids_in_base64(request)
        return ParseDict(request, ExportMetricsServiceRequest(), ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error)[:300] or type(error).__name__
        raise InvalidData(f"not an ExportMetricsServiceRequest in JSON: bytes={len(body)} reason={reason}") from error


def too_large(size: int, limit: int) -> BodyTooLarge:
    """The answer to a body of `size` bytes."""
    return BodyTooLarge(
        f"body is too large: bytes={size} limit={limit}",
        hint="send fewer data points a request, or raise gateway.max_body_bytes",
    )


def too_much(size: int, limit: int) -> BodyTooLarge:
    """The answer to a body whose objects take `size` bytes."""
    return BodyTooLarge(
        f"too much in one body: decoded_bytes={size} limit={limit}",
        hint="send fewer data points a request, or raise gateway.in_flight_bytes",
    )


def _ids_in_base64(request: Any) -> None:
    for exemplar in _exemplars(request):
        for name in ("traceId", "spanId", "trace_id", "span_id"):
            if name in exemplar:
                exemplar[name] = base64.b64encode(bytes.fromhex(exemplar[name])).decode()


def _exemplars(request: Any) -> Iterator[dict[str, Any]]:
    for resource in _each(request, "resourceMetrics", "resource_metrics"):
        for scope in _each(resource, "scopeMetrics", "scope_metrics"):
            for metric in _each(scope, "metrics"):
                for data in metric.values():
                    if isinstance(data, dict):
                        for point in _each(data, "dataPoints", "data_points"):
                            yield from _each(point, "exemplars")


def _each(holder: dict[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        yield from holder.get(name) or ()


def _shape(root: Descriptor) -> list[tuple[int, dict[int, int]]]:
    """The message types below `root`, as DecodedSize wants them."""
    types = [root]
    shape: list[tuple[int, dict[int, int]]] = []
    for descriptor in types:  # grows as it goes
        fields: dict[int, int] = {}
        size = _OBJECT
        for field in descriptor.fields:
            is_text = field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
            size += _TEXT_PLACE if is_text else _PLACE
            if field.message_type is not None:
                if field.message_type not in types:
                    types.append(field.message_type)
                fields[field.number] = types.index(field.message_type)
            elif not is_text:
                fields[field.number] = _NUMBERS if field.is_repeated else _NUMBER
        shape.append((size, fields))
    return shape


_DECODED_SIZE: Final = DecodedSize(_shape(ExportMetricsServiceRequest.DESCRIPTOR))
