"""Bodies made to hurt, about 8 MiB each; as a script, prints what routing one costs in memory: `NAME` -> JSON."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from forebay.errors import InvalidData
from tests.wire.labels_oracle import label_fields, text_field, varint
from wire.snappy import BodyTooLarge
from wire.write_request import Router

BYTES = 8 << 20
MIN, MAX = 0, 10
NAME = [(b"__name__", b"m")]


def _repeated(part: bytes) -> bytes:
    return part * (BYTES // len(part))


def many_tiny_series() -> bytes:
    return _repeated(text_field(1, label_fields(NAME) + text_field(2, b"")))


def many_empty_series() -> bytes:
    return _repeated(text_field(1, b""))


def many_tiny_metadata() -> bytes:
    return _repeated(text_field(3, text_field(2, b"m")))


def one_huge_label() -> bytes:
    return text_field(1, label_fields([*NAME, (b"huge", b"x" * BYTES)]) + text_field(2, b""))


def one_series_of_empty_labels() -> bytes:
    return text_field(1, _repeated(text_field(1, b"")))


def one_series_of_many_labels() -> bytes:
    return text_field(1, b"".join(label_fields([(b"%06x" % n, b"v")]) for n in range(BYTES // 14)))


def many_series_of_labels_in_descending_order() -> bytes:
    labels = [(b"%04d" % (9999 - n), b"v") for n in range(1000)]
    return _repeated(text_field(1, label_fields([*labels, *NAME]) + text_field(2, b"")))


def labels_that_must_be_repeated_for_each_few_samples() -> bytes:
    run = label_fields([*NAME, (b"z", b"x" * 110_000)])
    return text_field(1, run + _repeated(text_field(2, b"\x10\x01")))


def labels_that_must_be_repeated_for_each_sample() -> bytes:
    run = label_fields([*NAME, (b"z", b"x" * 110_000)])
    exemplar = text_field(3, text_field(1, text_field(2, b"x" * 800_000)))
    return text_field(1, run + _repeated(text_field(2, b"\x10\x01") + exemplar))


def one_series_of_refused_samples() -> bytes:
    return text_field(1, label_fields(NAME) + _repeated(text_field(2, b"\x10\x7f")))


def one_histogram_of_endless_spans() -> bytes:
    spans = _repeated(text_field(11, b"\x10" + varint(2**32 - 1)))
    return text_field(1, label_fields(NAME) + text_field(4, b"\x08\x01" + spans))


def one_histogram_of_many_buckets() -> bytes:
    return text_field(1, label_fields(NAME) + text_field(4, text_field(12, b"\x02" + bytes(BYTES))))


def nested_deeply() -> bytes:
    data = b""
    for _ in range(3000):
        data = text_field(1, data)
    return _repeated(data)


def many_unknown_fields() -> bytes:
    return text_field(1, label_fields(NAME) + _repeated(b"\x78\x01"))


def many_groups() -> bytes:
    return _repeated(b"\x0b")


BODIES: dict[str, Callable[[], bytes]] = {
    body.__name__: body
    for body in (
        many_tiny_series,
        many_empty_series,
        many_tiny_metadata,
        one_huge_label,
        one_series_of_empty_labels,
        one_series_of_many_labels,
        many_series_of_labels_in_descending_order,
        labels_that_must_be_repeated_for_each_few_samples,
        labels_that_must_be_repeated_for_each_sample,
        one_series_of_refused_samples,
        one_histogram_of_endless_spans,
        one_histogram_of_many_buckets,
        nested_deeply,
        many_unknown_fields,
        many_groups,
    )
}


def resident(field: str) -> int:
    """Bytes, from Linux' own account of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


def main(body: bytes, message: int) -> None:
    router = Router(16)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is the making of the body: forget it
    before = resident("VmHWM")
    begin = time.process_time()
    try:
        routed = router.route(body, 1, MIN, MAX, message=message)
        outcome = {"rejected": routed.rejected, "samples": routed.samples, "records": len(routed.records)}
    except BodyTooLarge:
        outcome = {"too_large": True}
    except InvalidData:
        outcome = {"malformed": True}
    seconds = time.process_time() - begin
    figures = {"seconds": round(seconds, 3), "grown": resident("VmHWM") - before, "body": len(body)}
    print(json.dumps({**outcome, **figures}))


if __name__ == "__main__":
    main(BODIES[sys.argv[1]](), 1)
