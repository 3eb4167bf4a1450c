"""Groups by file locks: shares of partitions, a member that dies, a listener that is not ready."""

# ruff: noqa: ASYNC220 - nothing else runs on the event loop while a test waits for a process

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from broker.log import LogUnavailable, NewRecord
from broker.settings import EmbeddedSettings
from forebay.errors import Fatal
from tests.broker.conftest import EmbeddedHarness
from tests.broker.contract import MANY, Recorder, poll_all

_MEMBER = """
import sys, time
from pathlib import Path
from broker.embedded_group import EmbeddedSubscription
from forebay.clock import SystemClock
from tests.broker.contract import Recorder
listener = Recorder()
member = EmbeddedSubscription(Path(sys.argv[1]), "group", listener, SystemClock())
member.poll(0, 1000)
print(listener.assignments, flush=True)
time.sleep(60)
"""


async def test_members_share_by_their_bound(harness: EmbeddedHarness) -> None:
    writer = await harness.writer()
    await writer.append([NewRecord(p, b"t", b"x") for p in range(4)])
    first, second = Recorder(), Recorder()
    poll_all(harness.subscription("group", first, max_partitions=3), 3)
    poll_all(harness.subscription("group", second), 1)
    assert (first.assignments, second.assignments) == ([(0, 1, 2)], [(3,)])


async def test_a_dead_members_partitions_pass_on(harness: EmbeddedHarness) -> None:
    writer = await harness.writer()
    await writer.append([NewRecord(p, b"t", b"x") for p in range(4)])
    with subprocess.Popen([sys.executable, "-c", _MEMBER, str(harness.directory)], stdout=subprocess.PIPE) as member:
        assert member.stdout is not None
        assert member.stdout.readline() == b"[(0, 1, 2, 3)]\n"
        view = harness.group_view("group")
        assert view.describe().members == ((f"pid {member.pid}", (0, 1, 2, 3)),)
        heir = harness.subscription("group", Recorder())
        assert heir.poll(0.7, MANY) == []
        member.kill()
    assert view.describe().members == ()
    assert len(poll_all(heir, 4)) == 4
    assert view.describe().owner(3) == f"pid {os.getpid()}"


async def test_a_listener_that_fails_is_asked_again(harness: EmbeddedHarness) -> None:
    class Unready(Recorder):
        def assigned(self, partitions: Sequence[int]) -> dict[int, int]:
            super().assigned(partitions)
            if len(self.assignments) == 1:
                raise LogUnavailable("the bucket is away")
            return dict.fromkeys(partitions, 0)

    writer = await harness.writer()
    await writer.append([NewRecord(1, b"t", b"x")])
    listener = Unready()
    subscription = harness.subscription("group", listener)
    with pytest.raises(LogUnavailable, match="the bucket is away"):
        subscription.poll(1, MANY)
    assert len(poll_all(subscription, 1)) == 1
    assert listener.assignments == [(0, 1, 2, 3)] * 2


async def test_a_read_that_failed_is_tried_again(harness: EmbeddedHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for another commit to wake it."""
    writer = await harness.writer()
    subscription = harness.subscription("group", Recorder())
    assert subscription.poll(0.1, MANY) == []
    await writer.append([NewRecord(1, b"t", b"x")])

    def fail(*_: object) -> None:
        raise LogUnavailable("the disk is away")

    monkeypatch.setattr(subscription._reader, "read", fail)
    with pytest.raises(LogUnavailable, match="the disk is away"):
        subscription.poll(1, MANY)
    monkeypatch.undo()
    assert len(subscription.poll(1, MANY)) == 1


@pytest.mark.parametrize("group", ["", ".", "..", "a/b", "a b", "../../etc", ".hidden", "x" * 201])
async def test_a_groups_name_cannot_leave_its_directory(harness: EmbeddedHarness, group: str) -> None:
    await harness.writer()
    with pytest.raises(Fatal, match=r"hint: set consumer\.group"):
        harness.subscription(group, Recorder())


async def test_partitions_that_are_added_are_taken(harness: EmbeddedHarness) -> None:
    writer = await harness.writer(EmbeddedSettings(partitions=1))
    listener = Recorder()
    subscription = harness.subscription("group", listener)
    subscription.poll(0, MANY)
    await writer.close()
    writer = await harness.writer(EmbeddedSettings(partitions=3))
    await writer.append([NewRecord(2, b"t", b"x")])
    assert poll_all(subscription, 1)[0].partition == 2
    assert listener.assignments == [(0,), (1, 2)]


async def test_only_what_is_assigned_can_be_sought(harness: EmbeddedHarness) -> None:
    await harness.writer()
    subscription = harness.subscription("group", Recorder())
    with pytest.raises(LogUnavailable, match="not assigned partition=0"):
        subscription.seek(0, 5)
    subscription.close()
    with pytest.raises(LogUnavailable, match="closed"):
        subscription.poll(0, MANY)
