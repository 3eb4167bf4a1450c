"""Histogram messages, as a head reads them out of a record and writes them into a block."""

import struct
from pathlib import Path

import pytest

from consumers.head import Bounds, Head
from forebay.errors import InvalidData
from tests.consumers.head_oracle import Entry, agree, bits_of, decoded, named, read_block, record
from tests.wire.labels_oracle import label_fields, text_field, varint
from tsdb.native_histogram import STALE_BITS, Histogram

NOW = 1_700_006_400_000
EXPONENTIAL = Histogram(
    t=NOW,
    is_float=False,
    schema=3,
    zero_threshold=2.0**-128,
    sum_bits=bits_of(5.5),
    count=9,
    zero_count=1,
    reset_hint=0,
    positive_spans=((-2, 2), (3, 1)),
    negative_spans=((0, 1),),
    positive_buckets=(3, -1, 1),
    negative_buckets=(1,),
    custom_values=(),
)
FLOAT = EXPONENTIAL._replace(
    is_float=True,
    count=bits_of(9.5),
    zero_count=bits_of(1.5),
    positive_buckets=tuple(map(bits_of, (3.0, 2.0, 3.0))),
    negative_buckets=(bits_of(1.0),),
)
CUSTOM = EXPONENTIAL._replace(
    schema=-53,
    zero_threshold=0.0,
    zero_count=0,
    positive_spans=((0, 3),),
    positive_buckets=(1, 1, 0),
    negative_spans=(),
    negative_buckets=(),
    custom_values=(0.5, 1.0),
)
STALE = EXPONENTIAL._replace(
    sum_bits=STALE_BITS,
    count=0,
    zero_count=0,
    positive_spans=(),
    negative_spans=(),
    positive_buckets=(),
    negative_buckets=(),
)


def head() -> Head:
    return Head(seed=7, window_ms=7_200_000, bounds=Bounds(10_000, 10_000, 2))


def stored(value: bytes, directory: Path) -> list[Histogram]:
    made = head()
    made.append(value, NOW)
    made.finish()
    made.write_block(NOW, directory)
    [chunks] = read_block(directory).values()
    return [sample for chunk in chunks for _, sample in decoded(chunk) if isinstance(sample, Histogram)]


@pytest.mark.parametrize("sample", [EXPONENTIAL, FLOAT, CUSTOM, STALE], ids=["exponential", "float", "custom", "stale"])
def test_a_message_comes_back_out_of_its_chunk(tmp_path: Path, sample: Histogram) -> None:
    found = stored(record([Entry(named(), [(NOW, sample)])]), tmp_path)
    assert agree([(each.t, each) for each in found], [(NOW, sample)])
    assert found[0].custom_values == sample.custom_values


def test_unpacked_fields_and_unknown_ones_read_as_packed(tmp_path: Path) -> None:
    span = text_field(11, b"\x08\x03\x10\x02") + text_field(11, b"\x08\x06\x10\x01")  # zig-zag: -2 and 3
    deltas = b"".join(b"\x60" + varint(raw) for raw in (6, 1, 2))
    negative = text_field(8, b"\x10\x01") + b"\x48\x02"
    rest = b"\x08\x09\x30\x01\x20\x06\x19" + struct.pack("<d", 5.5) + b"\x29" + struct.pack("<d", 2.0**-128)
    message = span + deltas + negative + rest + b"\x78" + varint(NOW) + b"\x88\x01\x07" + b"\xfa\x07\x01x"
    value = text_field(1, label_fields([(b"__name__", b"up")]) + text_field(4, message))
    assert agree([(each.t, each) for each in stored(value, tmp_path)], [(NOW, EXPONENTIAL)])


@pytest.mark.parametrize(
    "sample",
    [
        EXPONENTIAL._replace(positive_spans=((0, 2),)),
        EXPONENTIAL._replace(positive_spans=((0, 4),)),
        EXPONENTIAL._replace(positive_spans=((0, 2), (-1, 1))),
        EXPONENTIAL._replace(positive_spans=((2**31 - 2, 3),)),
        EXPONENTIAL._replace(negative_buckets=()),
        EXPONENTIAL._replace(schema=53),
        EXPONENTIAL._replace(schema=-10),
        FLOAT._replace(positive_buckets=()),
        CUSTOM._replace(custom_values=(1.0, 1.0)),
        CUSTOM._replace(custom_values=(1.0, float("inf"))),
        CUSTOM._replace(custom_values=(1.0,)),
        CUSTOM._replace(positive_spans=((-1, 3),)),
        CUSTOM._replace(zero_count=1),
    ],
)
def test_what_no_chunk_can_hold_is_refused(sample: Histogram) -> None:
    made = head()
    with pytest.raises(InvalidData, match="histogram"):
        made.append(record([Entry(named(), [(NOW, sample)])]), NOW)
    assert made.series == 0


def test_layouts_that_differ_in_empty_buckets_alone_are_duplicates() -> None:
    wide = EXPONENTIAL._replace(positive_spans=((-2, 6),), positive_buckets=(3, -1, -2, 0, 0, 3))
    made = head()
    made.append(record([Entry(named(), [(NOW, EXPONENTIAL), (NOW, wide), (NOW, FLOAT)])]), NOW)
    counts = made.finish()
    assert (counts.stored, counts.duplicate, counts.rejected) == (1, 1, {"duplicate_timestamp": 1})
