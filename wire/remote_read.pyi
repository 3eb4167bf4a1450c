from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from typing_extensions import Buffer

# Types of a matcher.
EQUAL: Final = 0
NOT_EQUAL: Final = 1
MATCHES: Final = 2
NOT_MATCHES: Final = 3
# Types of an answer.
SAMPLES: Final = 0
STREAMED_XOR_CHUNKS: Final = 1

class ReadQuery(NamedTuple):
    start_ms: int
    end_ms: int
    """Inclusive."""
    matchers: tuple[tuple[int, bytes, bytes], ...]
    """(type, name, value) as sent; type is one of the four, strings are UTF-8."""

class ReadRequest(NamedTuple):
    queries: tuple[ReadQuery, ...]
    accepted_response_types: tuple[int, ...]
    """As sent, repeats left out; empty means SAMPLES. Numbers that are not known here are kept."""

def decode_read_request(body: Buffer, *, max_queries: int = 100, max_matchers: int = 1000) -> ReadRequest:
    """Decodes a decompressed `prometheus.ReadRequest`; hints are skipped.

    `max_matchers` is for the whole request. Reading stops at a limit, so memory is bounded by them and the body.

    Raises:
        InvalidData: malformed, above a limit, an unknown matcher type, or a string that is not UTF-8.
    """

def encode_timeseries(
    labels: Sequence[tuple[bytes, bytes]],
    timestamps: array[int],
    value_bits: array[int],
    histograms: Sequence[bytes],
) -> bytes:
    """A `prometheus.TimeSeries` message: labels as given, one sample per (ms, 64-bit pattern), encoded Histograms.

    Timestamps are array('q') and values array('Q') of one length. No object is made per sample, and no bit of a value
    changes: not the sign of -0.0, which Prometheus' own encoder loses, nor the payload of a NaN.

    Raises:
        ValueError: the arrays differ in length or are of another type.
    """

def encode_query_result(timeseries: Sequence[bytes]) -> bytes:
    """A `prometheus.QueryResult` message of encoded TimeSeries, in their order."""

def encode_read_response(results: Sequence[bytes]) -> bytes:
    """A `prometheus.ReadResponse` message of encoded QueryResults, one for each query of the request, in its order."""
