"""A queue that stands, told from one that comes and goes."""

from gateway.pressure import Pressure


def join(pressure: Pressure, count: int, now: float) -> None:
    for _ in range(count):
        pressure.joined(now)


def leave(pressure: Pressure, count: int, now: float) -> None:
    for _ in range(count):
        pressure.left(now)


def pressed(at: float = 0.0) -> Pressure:
    """For which a moment begins, with one that waits."""
    pressure = Pressure(0.25)
    pressure.press(at)
    pressure.joined(at)
    return pressure


def test_a_queue_stands_once_it_was_as_long_as_ever_for_all_the_time() -> None:
    pressure = Pressure(0.25)
    join(pressure, 10, 5.0)
    assert not pressure.stands(5.0)
    assert not pressure.stands(5.24)
    assert pressure.stands(5.26)


def test_a_queue_that_becomes_shorter_does_not_stand() -> None:
    pressure = Pressure(0.25)
    join(pressure, 100, 0.0)
    for step in range(1, 10):
        leave(pressure, 11, step * 0.1)
        assert not pressure.stands(step * 0.1)


def test_a_queue_that_was_empty_in_between_has_begun_anew() -> None:
    pressure = Pressure(0.25)
    for start in (0.0, 0.2, 0.4, 0.6):
        join(pressure, 10, start)
        assert not pressure.stands(start + 0.1)
        leave(pressure, 10, start + 0.19)
    assert not pressure.stands(0.9)


def test_a_queue_that_stands_goes_on_while_more_is_refused_than_its_gaps_had_room_for() -> None:
    pressure = pressed()
    for moment in range(5):
        pressure.left(moment + 0.5)
        pressure.joined(moment + 0.8)
        pressure.refused(0.31)
        assert pressure.stands(moment + 1.0)


def test_it_is_calm_once_its_gaps_had_room_for_what_was_refused() -> None:
    pressure = pressed()
    pressure.left(0.5)
    pressure.joined(0.8)
    pressure.refused(0.29)
    assert pressure.stands(0.99)
    assert not pressure.stands(1.0)


def test_the_gap_that_goes_on_counts() -> None:
    pressure = pressed()
    pressure.refused(0.4)
    pressure.left(0.5)
    assert not pressure.stands(1.0)


def test_what_is_of_the_moment_before_does_not_count() -> None:
    pressure = pressed()
    pressure.refused(0.6)
    pressure.left(0.5)
    assert pressure.stands(1.0)
    pressure.joined(1.1)
    pressure.refused(0.11)
    assert pressure.stands(2.0)
    pressure.refused(0.0)
    assert not pressure.stands(3.0)


def test_who_waited_too_long_tells_of_a_queue_that_stands() -> None:
    pressure = Pressure(0.25)
    pressure.joined(0.0)
    pressure.press(0.1)
    assert pressure.stands(0.1)
