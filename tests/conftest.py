"""What every test has: nothing global, everything made anew."""

import os
import re
import secrets
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from forebay.clock import ManualClock
from tests.leftovers import held, left
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import PEERS, Recipe

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "any-machine", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Set up before all others, and so torn down after them."""
    before = held()
    yield
    assert left(before, 10) == set(), "open at the end of the run; close them in the test or fixture that opened them"


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


@pytest.fixture(scope="session")
def kafka(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for all tests: make a topic and a group of your own, and leave it running."""
    with KafkaBroker(peer("kafka-4.1"), tmp_path_factory.mktemp("kafka") / "broker") as broker:
        yield broker


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """No other test's."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", request.node.name)
    return f"{name[:80]}-{secrets.token_hex(4)}"
