"""A short slice of `make senders`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.recipes import Recipe
from tests.senders.run import Plan, run
from tests.senders.verdict import problems

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("limits", [False, True])
def test_real_senders_lose_nothing(peer: Callable[[str], Recipe], tmp_path: Path, *, limits: bool) -> None:
    plan = Plan(seconds=24, calm=4, broker_away=3, limits=limits)
    result = run(plan, tmp_path, peer)
    assert set(result.troubles) >= {"restart", "freeze_broker", "kill"}
    assert problems(plan, result) == []
