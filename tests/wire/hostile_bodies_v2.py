"""As hostile_bodies.py, over remote-write 2.0: what a few bytes can ask for by referring to others."""

import sys
from collections.abc import Callable

from tests.wire.hostile_bodies import BYTES, main
from tests.wire.labels_oracle import text_field, varint

SAMPLE = text_field(2, b"\x10\x01")


def _table(*texts: bytes) -> bytes:
    return b"".join(text_field(4, text) for text in (b"", b"__name__", b"m", *texts))


def _repeated(part: bytes, size: int = BYTES) -> bytes:
    return part * (size // len(part))


def _series(refs: bytes, rest: bytes = SAMPLE) -> bytes:
    return text_field(5, text_field(1, refs) + rest)


def many_empty_symbols() -> bytes:
    return _repeated(text_field(4, b""))


def many_tiny_series() -> bytes:
    return _table() + _repeated(_series(b"\x01\x02"))


def many_series_of_a_huge_symbol() -> bytes:
    return _table(b"x" * 800_000) + _repeated(_series(b"\x01\x02\x02\x03"))


def many_refused_series_of_huge_names() -> bytes:
    """Each would be sorted, and found to name a label twice."""
    huge = b"x" * 400_000
    return _table(huge, huge) + _repeated(_series(b"\x01\x02\x03\x02\x04\x02"))


def one_series_of_many_references() -> bytes:
    return _table() + _series(_repeated(b"\x01\x02"))


def many_series_of_references_to_nothing() -> bytes:
    return _table() + _repeated(_series(b"\x01\x7f"))


def one_series_of_exemplars_of_a_huge_symbol() -> bytes:
    return _table(b"x" * 800_000) + _series(b"\x01\x02", _repeated(text_field(4, b"\x0a\x02\x03\x03")))


def many_families_of_metadata() -> bytes:
    names = [b"%06d" % n for n in range(BYTES // 60)]
    said = text_field(5, b"\x08\x01\x18\x02")
    series = b"".join(_series(b"\x01" + varint(3 + n), SAMPLE + said) for n in range(len(names)))
    return _table(*names) + series


def one_family_of_very_different_metadata() -> bytes:
    """All of one length and one end, so that they are looked for in one place."""
    names = [b"%06d_of_a_long_name" % n for n in range(BYTES // 60)]
    said = text_field(5, b"\x08\x01")
    return _table(*names) + b"".join(_series(b"\x01" + varint(3 + n), SAMPLE + said) for n in range(len(names)))


def metadata_that_repeats_a_huge_symbol() -> bytes:
    said = (text_field(5, b"\x08" + varint(n) + b"\x18\x03") for n in range(500_000))
    return _table(b"x" * 100_000) + b"".join(_series(b"\x01\x02", SAMPLE + each) for each in said)


BODIES: dict[str, Callable[[], bytes]] = {
    body.__name__: body
    for body in (
        many_empty_symbols,
        many_tiny_series,
        many_series_of_a_huge_symbol,
        many_refused_series_of_huge_names,
        one_series_of_many_references,
        many_series_of_references_to_nothing,
        one_series_of_exemplars_of_a_huge_symbol,
        many_families_of_metadata,
        one_family_of_very_different_metadata,
        metadata_that_repeats_a_huge_symbol,
    )
}


if __name__ == "__main__":
    main(BODIES[sys.argv[1]](), 2)
