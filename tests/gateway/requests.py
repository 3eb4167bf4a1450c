"""Remote-write requests as senders make them, by protobuf's own runtime and an independent snappy."""

from collections.abc import Mapping, Sequence

import snappy

from tests.wire.messages import WriteRequest

NOW_MS = 1_700_006_400_000


def message(*series: tuple[Mapping[str, str], Sequence[tuple[int, float]]]) -> bytes:
    """A WriteRequest of (labels, samples); labels in the order given, samples as (ms, value)."""
    request = WriteRequest()
    for labels, samples in series:
        entry = request.timeseries.add()
        for name, text in labels.items():
            entry.labels.add(name=name.encode(), value=text.encode())
        for timestamp, value in samples:
            entry.samples.add(timestamp=timestamp, value=value)
    encoded: bytes = request.SerializeToString()
    return encoded


def body(*series: tuple[Mapping[str, str], Sequence[tuple[int, float]]]) -> bytes:
    """As `message`, compressed."""
    compressed: bytes = snappy.compress(message(*series))
    return compressed


def good(count: int = 3) -> bytes:
    """A body of `count` series that nothing is wrong with."""
    return body(*(({"__name__": "up", "instance": f"host-{n}"}, [(NOW_MS, 1.0)]) for n in range(count)))
