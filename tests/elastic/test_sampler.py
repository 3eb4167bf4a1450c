from tests.elastic.sampler import Behind, Lag, Row, lags, standstill

START = 1_700_000_000.0


def test_lag_grows_while_nobody_reads() -> None:
    rows = [
        Row(START + 0, [10, 5], {0: Behind(0, 0), 1: Behind(0, 0)}),
        Row(START + 1, [12, 5], {0: Behind(2, 0.5), 1: Behind(0, 0)}),
        Row(START + 2, [14, 6], {1: Behind(0, 0)}),  # nobody has partition 0
        Row(START + 3, [14, 6], {0: Behind(6, 9), 1: Behind(1, 0.2)}),  # its new holder begins before the old one
        Row(START + 4, [14, 6], {0: Behind(0, 0), 1: Behind(0, 0)}),
        Row(START + 5, [14, 6], {1: Behind(0, 0)}),
    ]
    assert lags(rows) == [
        Lag(START + 0, 0, 0),
        Lag(START + 1, 2, 0.5),
        Lag(START + 2, 4, 1.5),
        Lag(START + 3, 7, 9),
        Lag(START + 4, 0, 0),
        Lag(START + 5, 0, 0),
    ]


def test_a_standstill_is_of_those_who_stayed() -> None:
    rows = [
        Row(START + 0, taken={"a": 1, "b": 1}),
        Row(START + 1, taken={"a": 2, "b": 1}),
        Row(START + 2, taken={"a": 2}),
        Row(START + 4, taken={"a": 2, "c": 0}),
        Row(START + 5, taken={"a": 3, "c": 0}),
        Row(START + 9, taken={"a": 3, "c": 0}),
    ]
    assert standstill(rows, START, START + 6) == 3
    assert standstill(rows, START, START + 10) == 4
    assert standstill(rows, START + 20, START + 30) == 0
