"""Which protocol a write request speaks, decided by its headers alone and before a byte of its body is looked at."""

import re

from forebay.errors import InvalidData

REMOTE_WRITE_1 = "prometheus.WriteRequest"
REMOTE_WRITE_2 = "io.prometheus.write.v2.Request"
_MEDIA_TYPE = "application/x-protobuf"

# RFC 9110 5.6.6: parameters, optional whitespace around `;`, values as tokens or quoted strings.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - a grammar, not a secret
_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*")
_PARAMETER = re.compile(rf';[ \t]*(?:({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*"))?[ \t]*')
_QUOTED_PAIR = re.compile(r"\\(.)")


class UnsupportedMedia(InvalidData):
    """415: not a protocol that is spoken here."""


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """Type and parameters, names in lower case. Raises UnsupportedMedia where it is not RFC 9110's syntax."""
    matched = _TYPE.match(header)
    position = matched.end() if matched else 0
    parameters: dict[str, str] = {}
    while matched and position < len(header):
        parameter = _PARAMETER.match(header, position)
        if parameter is None:
            matched = None
            break
        position = parameter.end()
        if parameter[1]:
            value = parameter[2]
            if value.startswith('"'):
                value = _QUOTED_PAIR.sub(r"\1", value[1:-1])
            parameters.setdefault(parameter[1].lower(), value)
    if matched is None:
        raise UnsupportedMedia(f"not a media type: content_type={header[:200]!r}")
    return matched[1].lower(), parameters


def negotiate(content_type: str | None, content_encoding: str | None) -> str:
    """The message that the body holds. Missing headers mean remote-write 1.0 and snappy, as Prometheus reads them.

    Raises:
        UnsupportedMedia: with what to send instead.
    """
    if content_encoding and content_encoding.strip().lower() != "snappy":
        raise UnsupportedMedia(
            f"unsupported encoding: content_encoding={content_encoding[:200]!r}", hint="send snappy (block format)"
        )
    if not content_type or content_type == _MEDIA_TYPE:
        return REMOTE_WRITE_1
    kind, parameters = media_type(content_type)
    message = parameters.get("proto", REMOTE_WRITE_1)
    if kind == _MEDIA_TYPE and message in (REMOTE_WRITE_1, REMOTE_WRITE_2):
        return message
    raise UnsupportedMedia(
        f"unsupported media type: content_type={content_type[:200]!r}",
        hint=f"send {_MEDIA_TYPE}, with proto={REMOTE_WRITE_1} or proto={REMOTE_WRITE_2}",
    )
