"""Both ends of a channel, in one event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forebay.channel import Channel, NoAnswer

Ends = tuple[Channel, Channel, asyncio.Task[None]]


async def answer(topic: str, body: Any) -> Any:
    if topic == "fail":
        raise ValueError(f"cannot {body}")
    if topic == "sleep":
        await asyncio.sleep(body)
    return [topic, body]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    channels = []
    for one in socket.socketpair():
        one.setblocking(False)
        channels.append(Channel(*await asyncio.open_unix_connection(sock=one), answer))
    runs = [asyncio.create_task(channel.run()) for channel in channels]
    yield channels[0], channels[1], runs[0]
    for channel in channels:
        await channel.close()
    await asyncio.gather(*runs)


async def test_both_ends_ask_and_answer_and_late_answers_find_their_question(ends: Ends) -> None:
    near, far, _ = ends
    body = {"a": [1, 2.5, float("inf"), None, "x" * 100_000]}
    slow = asyncio.create_task(near.ask("sleep", 0.05, 5))
    assert await near.ask("any", body, 5) == ["any", body]
    assert await far.ask("other", "", 5) == ["other", ""]
    assert await slow == ["sleep", 0.05]


async def test_what_the_other_side_cannot_do_is_told(ends: Ends) -> None:
    with pytest.raises(NoAnswer, match="ValueError: cannot fly"):
        await ends[0].ask("fail", "fly", 5)


async def test_nobody_waits_for_ever(ends: Ends) -> None:
    near, far, _ = ends
    with pytest.raises(NoAnswer, match="does not answer"):
        await near.ask("sleep", 0.1, 0.01)
    await asyncio.sleep(0.15)  # the answer that nobody waits for comes, and does no harm
    waiting = asyncio.create_task(near.ask("sleep", 60, 60))
    await asyncio.sleep(0)
    await far.close()
    with pytest.raises(NoAnswer, match="gone"):
        await waiting
    with pytest.raises(NoAnswer, match="gone"):
        await near.ask("any", None, 5)


async def test_who_runs_it_sees_the_end_of_the_other_side(ends: Ends) -> None:
    _, far, run = ends
    await far.close()
    await asyncio.wait_for(run, 5)
