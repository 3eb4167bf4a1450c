import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.labels_oracle import canonical, is_text, label_fields, text_field, varint
from tests.wire.messages import TimeSeries
from wire.labels import canonical_check

NAME = (b"__name__", b"up")
names = st.text(min_size=1, max_size=20).map(str.encode) | st.sampled_from([b"job", b"instance", b"A", b"le"])
values = st.text(max_size=300).map(str.encode)
label_sets = st.dictionaries(names, values, max_size=12).map(lambda pairs: {**pairs, NAME[0]: NAME[1]})
any_pairs = st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=5)


@given(label_sets)
def test_what_the_oracle_writes_is_canonical(labels: dict[bytes, bytes]) -> None:
    assert canonical_check(canonical(labels.items())) == ""


@given(any_pairs)
def test_pairs_in_any_order_are_judged_as_by_the_rules(pairs: list[tuple[bytes, bytes]]) -> None:
    pairs = [*pairs, NAME]
    names = [name for name, _ in pairs]
    good = (
        all(name and value and is_text(name) and is_text(value) for name, value in pairs)
        and names == sorted(set(names))
        and NAME[0] in names
    )
    assert (canonical_check(label_fields(pairs)) == "") == good


@given(label_sets, st.data())
def test_one_changed_byte_is_never_misread(labels: dict[bytes, bytes], data: st.DataObject) -> None:
    good = canonical(labels.items())
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    if canonical_check(bad) == "":
        decoded = TimeSeries.FromString(bad)
        assert canonical((label.name, label.value) for label in decoded.labels) == bad


@pytest.mark.parametrize("cut", range(1, 22))
def test_a_cut_inside_the_last_label_is_refused(cut: int) -> None:
    good = label_fields([NAME, (b"job", b"node exporter")])
    assert canonical_check(good[:-cut]) != ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "nameless"),
        (label_fields([(b"job", b"x")]), "nameless"),
        (label_fields([NAME, (b"job", b"")]), "empty"),
        (label_fields([(b"", b"x"), NAME]), "empty"),
        (label_fields([(b"job", b"x"), NAME]), "unordered"),
        (label_fields([NAME, NAME]), "unordered"),
        (label_fields([NAME, (b"job", b"x"), (b"jo", b"x")]), "unordered"),
        (label_fields([NAME, (b"job", b"\xff")]), "not_utf8"),
        (label_fields([NAME, (b"job\xc3", b"x")]), "not_utf8"),
        (label_fields([NAME]) + b"\x12\x00", "malformed"),
        (text_field(1, text_field(2, b"up") + text_field(1, b"__name__")), "malformed"),
        (text_field(1, text_field(1, b"__name__") + text_field(2, b"up") + b"\x18\x01"), "malformed"),
        (b"\x0a\x8e\x00" + label_fields([NAME])[2:], "malformed"),
        (b"\x8a\x00" + label_fields([NAME])[1:], "nameless"),
    ],
)
def test_each_reason(data: bytes, reason: str) -> None:
    assert canonical_check(data) == reason


def test_long_strings_whose_lengths_have_the_high_bit_set_are_ascii_still() -> None:
    assert canonical_check(label_fields([NAME, (b"a" * 200, b"b" * 20000)])) == ""
    assert canonical_check(label_fields([NAME, (b"a" * 200, b"b" * 20000 + b"\x80")])) == "not_utf8"


@given(st.binary(max_size=12) | st.text(max_size=8).map(str.encode))
def test_utf8_is_pythons(value: bytes) -> None:
    if value:
        data = label_fields([NAME, (b"job", value)])
        assert (canonical_check(data) == "") == is_text(value)


@pytest.mark.parametrize(
    "value",
    [b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80"],
    ids=["overlong 2", "overlong 3", "surrogate", "overlong 4", "above U+10FFFF", "five byte lead"],
)
def test_what_only_looks_like_utf8_is_refused(value: bytes) -> None:
    assert canonical_check(label_fields([NAME, (b"job", value)])) == "not_utf8"


def test_a_length_beyond_the_end_is_refused() -> None:
    assert canonical_check(b"\x0a" + varint(2**63) + b"\x0a\x01a") == "malformed"
