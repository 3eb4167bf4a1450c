"""What becomes of requests under load and overload, in simulated time."""

from tests.gateway.overload_model import CAPACITY, Answers, Model

SETTLED = 2.0
"""Seconds after which a load is as it goes on."""


def steady(load: float, seconds: float = 8.0) -> Answers:
    model = Model()
    model.come("a", load, 0.0, seconds)
    return model.run().answers["a"].between(SETTLED, seconds)


def served(answers: Answers, seconds: float) -> float:
    """Of the capacity."""
    return len(answers.served) / seconds / CAPACITY


def test_at_three_times_the_capacity_those_who_are_let_in_wait_little() -> None:
    half, over = steady(0.5), steady(3.0)
    assert not half.refused
    assert over.percentile(0.99) < 2.5 * half.percentile(0.99)
    # Two refusals for each who is let in cost a quarter of the time there is.
    assert served(over, 6.0) > 0.65


def test_who_is_refused_is_told_at_once() -> None:
    took = sorted(seconds for _, seconds in steady(3.0).refused)
    assert took[len(took) // 2] < 0.01
    assert took[int(len(took) * 0.99)] < 0.03


def test_gaps_in_an_overload_are_no_calm() -> None:
    """The senders of an overload stop for breath: so its queue is empty for a moment, again and again."""
    model = Model()
    for tenth in range(80):
        model.come("a", 3.0, tenth / 10, tenth / 10 + 0.08)
    over = model.run().answers["a"].between(SETTLED, 8.0)
    assert over.percentile(0.99) < 0.06


def test_a_process_that_stands_still_again_and_again_is_pressed_all_the_same() -> None:
    model = Model()
    model.come("a", 3.0, 0.0, 8.0)
    for fifth in range(40):
        model.stall(fifth / 5, 0.03)
    over = model.run().answers["a"].between(SETTLED, 8.0)
    assert over.percentile(0.99) < 0.1


def test_a_burst_after_calm_is_waited_for_to_its_end() -> None:
    """All send at the same moment, as servers do that scrape in step; and half load goes on meanwhile."""
    model = Model()
    model.come("a", 0.5, 0.0, 8.0)
    for second in range(1, 8):
        model.burst("a", 150, float(second))
    answers = model.run().answers["a"]
    assert not answers.refused
    assert answers.percentile(1.0) < 0.25


def test_a_burst_is_waited_for_again_soon_after_overload() -> None:
    model = Model()
    model.come("a", 3.0, 0.0, 3.0)
    model.come("a", 0.5, 3.0, 8.0)
    for second in (5, 6, 7):
        model.burst("a", 150, float(second))
    assert not model.run().answers["a"].between(4.5, 8.0).refused


def test_nobody_is_refused_just_below_what_can_be_done() -> None:
    assert not steady(0.9).refused


def test_load_that_is_a_little_too_much_is_served_but_for_what_is_too_much() -> None:
    answers = steady(1.2)
    assert served(answers, 6.0) > 0.93
    assert answers.percentile(0.99) < 0.1


def test_a_log_that_becomes_slow_costs_latency_and_not_what_is_served() -> None:
    """Its broker is short of processor time: 8 requests at work at a time would be 40 a second."""
    model = Model()
    model.come("a", 2.0, 0.0, 11.0)
    model.log_slows(3.0, 0.02, 0.2)
    answers = model.run().answers["a"]
    before, slow = answers.between(1.5, 3.0), answers.between(6.0, 11.0)
    assert served(slow, 5.0) > 0.8 * served(before, 1.5)


def test_one_tenants_overload_is_hardly_felt_by_another() -> None:
    model = Model()
    model.come("greedy", 3.0, 0.0, 8.0)
    model.come("steady", 0.1, 0.0, 8.0)
    other = model.run().answers["steady"].between(SETTLED, 8.0)
    assert len(other.refused) < len(other.served) / 200
    assert other.percentile(0.99) < 0.05
