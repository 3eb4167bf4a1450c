"""A day of load: a wave, a step, a spike; and what an operator does and suffers in it."""

from math import pi, sin

from forebay.scenarios.event import Event, Roll, Slow

HOUR = 3600.0
DAY = 24 * HOUR
STEP_AT, STEP_ENDS = 9 * HOUR, 11 * HOUR
_SPIKE_AT, _SPIKE_ENDS = 14 * HOUR, 14 * HOUR + 300
_WAVE, _STEP, _SPIKE = 0.4, 2.0, 3.0

EVENTS: tuple[tuple[float, Event], ...] = ((17 * HOUR, Roll()), (20 * HOUR, Slow(0, 0.05, 1200)))
MARKS = ((STEP_AT, "twice"), (STEP_ENDS, "as before"), (_SPIKE_AT, "spike"), (17 * HOUR, "update"), (20 * HOUR, "slow"))


def factor(now: float) -> float:
    """Of the load, 1 on average over the wave."""
    wave = 1 + _WAVE * sin(2 * pi * (now / DAY - 0.25))
    if STEP_AT <= now < STEP_ENDS:
        return wave * _STEP
    if _SPIKE_AT <= now < _SPIKE_ENDS:
        return wave * _SPIKE
    return wave
