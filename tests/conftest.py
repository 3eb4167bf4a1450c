"""What every test has: nothing global, everything made anew."""

import pytest

from forebay.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when told to."""
    return ManualClock()
