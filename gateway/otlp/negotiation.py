"""Which form of OTLP a request speaks, decided by its headers alone."""

from typing import NamedTuple

from gateway.negotiation import UnsupportedMedia, media_type

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Form(NamedTuple):
    is_json: bool
    is_gzip: bool


def negotiate(content_type: str | None, content_encoding: str | None) -> Form:
    """Raises UnsupportedMedia, with what to send instead."""
    kind, _ = media_type(content_type or "-/-")
    if kind not in {PROTOBUF, JSON}:
        raise UnsupportedMedia(
            f"unsupported media type: content_type={(content_type or '')[:200]!r}", hint=f"send {PROTOBUF} or {JSON}"
        )
    encoding = (content_encoding or "identity").strip().lower()
    if encoding not in {"gzip", "identity"}:
        raise UnsupportedMedia(
            f"unsupported encoding: content_encoding={encoding[:200]!r}", hint="send gzip, or no encoding"
        )
    return Form(kind == JSON, encoding == "gzip")
