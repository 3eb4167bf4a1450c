"""Snappy's block format, as remote write and remote read wrap their messages in it.

A body says in its first bytes how long it will become. That claim is checked against the caller's limit, and against
what so many bytes can become at all, before anything is allocated. Source: google/snappy, format_description.txt.
"""

import math

from cramjam import DecompressionError, snappy

from forebay.errors import InvalidData

_FRAMED = b"\xff\x06\x00\x00sNaPpY"
_MAX_EXPANSION = 64 / 3  # the longest copy element turns three bytes into 64


def decompress(body: bytes | bytearray | memoryview, max_bytes: int) -> memoryview:
    """The message in `body`, which takes at most `max_bytes`. Releases the GIL while it works.

    What is returned owns the message's memory: copying it costs as much as a good part of the walk over it.

    Raises:
        BodyTooLarge: it says that it is larger.
        InvalidData: not snappy's block format, or not as long as it says.
    """
    if body[: len(_FRAMED)] == _FRAMED:
        raise InvalidData(
            "framed snappy where the block format is needed", hint="use the sender's snappy encode, not a stream writer"
        )
    try:
        declared = snappy.decompress_raw_len(body)
    except DecompressionError as error:
        raise InvalidData(f"not snappy block format: bytes={len(body)} reason={error}") from error
    if declared > len(body) * _MAX_EXPANSION:
        raise InvalidData(f"snappy body lies about its length: bytes={len(body)} decompressed_bytes={declared}")
    if declared > max_bytes:
        raise BodyTooLarge(f"body too large: decompressed_bytes={declared} limit={max_bytes}")
    try:
        return memoryview(snappy.decompress_raw(body))
    except DecompressionError as error:
        raise InvalidData(f"corrupt snappy body: bytes={len(body)} reason={error}") from error


def decompressed_size(body: bytes | bytearray | memoryview, limit: int) -> int:
    """Bytes that decompressing may take at most, before it is tried; 0 for what is not snappy at all."""
    try:
        return min(snappy.decompress_raw_len(body), math.ceil(len(body) * _MAX_EXPANSION), limit)
    except DecompressionError:
        return 0


def claimed_size(body: bytes | bytearray | memoryview) -> int:
    """Bytes that it says it will become, and may: 0 for what is not snappy at all."""
    return decompressed_size(body, 1 << 32)


def compress(message: bytes | bytearray | memoryview) -> bytes:
    """`message` in the block format; releases the GIL while it works."""
    return bytes(snappy.compress_raw(message))


class BodyTooLarge(InvalidData):
    """413 rather than 400: smaller requests would be accepted."""
