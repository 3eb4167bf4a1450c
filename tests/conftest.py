"""What every test has: nothing global, everything made anew."""

import os
from collections.abc import Callable

import pytest

from forebay.clock import ManualClock
from tests.peers.recipes import PEERS, Recipe


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when told to."""
    return ManualClock()


@pytest.fixture(scope="session")
def peer() -> Callable[[str], Recipe]:
    """Asks for a real peer by its name in tests/peers/recipes.py: there, or skipped, or failing where CI=true."""

    def need(name: str) -> Recipe:
        recipe = PEERS[name]
        if not recipe.present():
            reason = f"peer {name} is not set up; run `python -m tests.peers {name}`"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return recipe

    return need
