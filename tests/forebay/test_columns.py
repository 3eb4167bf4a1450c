from forebay.columns import columns


def test_numbers_stand_to_the_right_and_text_to_the_left() -> None:
    assert columns(("partition", "state"), [(0, "ok"), (12, "gap at 7")]) == (
        "partition  state\n        0  ok\n       12  gap at 7\n"
    )


def test_no_rows_leave_the_heads() -> None:
    assert columns(("a", "b"), []) == "a  b\n"
