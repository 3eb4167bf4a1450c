"""OTLP bodies: sized, decoded and translated; what comes of them is a request that the kernel takes."""

import gzip
import itertools
import json

import msgspec
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from forebay.errors import InvalidData
from gateway.otlp.body import claimed_size, decode_json, decode_protobuf, decoded_size, inflate
from gateway.otlp.negotiation import Form
from gateway.otlp.settings import OtlpSettings
from gateway.otlp.translation import Translation
from tests.fuzz.corpus import NOW
from tests.fuzz.entry import Entry, Target, exactly
from tests.gateway.otlp.exports import Exports
from wire.write_request import Router

_SETTINGS = [
    msgspec.convert(options, OtlpSettings)
    for options in (
        {},
        {"translation_strategy": "NoTranslation", "promote_all_resource_attributes": True},
        {"translation_strategy": "NoUTF8EscapingWithSuffixes", "convert_histograms_to_nhcb": True},
        {
            "translation_strategy": "UnderscoreEscapingWithoutSuffixes",
            "promote_scope_metadata": True,
            "native_delta_ingestion": True,
            "label_name_preserve_multiple_underscores": False,
        },
    )
]
_OURS = {"invalid_symbols", "empty_label_name", "invalid_utf8", "duplicate_label", "missing_name"}
"""Reasons that no series of a translation may be refused for."""
_HOUR = 3_600_000
_PROTOBUF = Form(is_json=False, is_gzip=False)


def _translated() -> Target:
    settings = itertools.cycle(_SETTINGS)
    router = Router(7)

    def take(request: ExportMetricsServiceRequest) -> None:
        translation = Translation(next(settings), NOW - _HOUR, NOW + _HOUR, 10_000)
        for body in translation.requests(request):
            routed = router.route(exactly(body), 7, NOW - _HOUR, NOW + _HOUR, message=2)
            if _OURS & routed.rejected.keys():
                raise AssertionError(f"a translation makes bad series: {routed.rejected} {routed.examples}")
        if sum(translation.refused.values()) > translation.points:
            raise AssertionError(f"more points refused than there are: {translation.refused} of {translation.points}")

    def target(data: memoryview) -> None:
        try:
            size = decoded_size(bytes(data), _PROTOBUF)
            request = decode_protobuf(bytes(data))
        except InvalidData:
            return
        if size < len(data):
            raise AssertionError(f"objects take less than their bytes: size={size} bytes={len(data)}")
        take(request)

    return target


def _json(data: memoryview) -> None:
    try:
        decode_json(bytes(data))
    except InvalidData:
        return


def _gzip(data: memoryview) -> None:
    body = bytes(data)
    try:
        claimed_size(body)
        inflated = inflate(body, 10_000)
    except InvalidData:
        return
    if len(inflated) > 10_000:
        raise AssertionError("inflated beyond the bound")


def entries() -> dict[str, Entry]:
    exports = [Exports(seed, NOW - 60_000, NOW).export(resources=1, metrics=1 + seed % 3) for seed in range(30)]
    bodies = [export.SerializeToString() for export in exports]
    texts = [json.dumps(MessageToDict(export)).encode() for export in exports[:10]]
    return {
        "otlp": Entry(_translated(), bodies),
        "otlp json": Entry(_json, texts),
        "otlp gzip": Entry(_gzip, [gzip.compress(body) for body in bodies[:10]]),
    }
