"""Answers as OTLP/HTTP has them: in the form of the request, errors as a google.rpc.Status."""

import json
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from gateway.otlp.negotiation import JSON, PROTOBUF
from gateway.otlp.request_writer import varint
from gateway.refusal import Refusal

MAX_MESSAGE = 2000
"""Characters of what a sender is told."""
_INTERNAL: Final = 13
_CODES: Final = {400: 3, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}
"""google.rpc.Code by HTTP status."""


def accepted(refused: int, reasons: Sequence[str], *, is_json: bool) -> web.Response:
    """200; with how many data points were refused, and why, where some were."""
    response = ExportMetricsServiceResponse()
    if refused or reasons:
        response.partial_success.rejected_data_points = refused
        response.partial_success.error_message = "; ".join(reasons)[:MAX_MESSAGE]
    if is_json:
        return web.Response(text=MessageToJson(response, indent=None), content_type=JSON)
    return web.Response(body=response.SerializeToString(), content_type=PROTOBUF)


def refused(refusal: Refusal, *, is_json: bool) -> web.Response:
    """The request as a whole."""
    status, text, headers = refusal
    code, message = _CODES.get(status, _INTERNAL), text[:MAX_MESSAGE]
    if is_json:
        body, kind = json.dumps({"code": code, "message": message}).encode(), JSON
    else:
        encoded = message.encode(errors="replace")
        body, kind = b"\x08" + varint(code) + b"\x12" + varint(len(encoded)) + encoded, PROTOBUF
    return web.Response(status=status, body=body, content_type=kind, headers=headers)
