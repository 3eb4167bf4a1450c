"""What every look at a group shows. An implementation's tests inherit `GroupViewContract`, with a `harness` fixture."""

from typing import Protocol

from broker.log import GroupView, NewRecord
from tests.broker.contract import PARTITIONS, Harness, Recorder, poll_all, wait_for


class GroupHarness(Harness, Protocol):
    def group_view(self, group: str) -> GroupView: ...


class GroupViewContract:
    async def test_a_group_that_nobody_joined_is_empty(self, harness: GroupHarness) -> None:
        await harness.writer()
        view = harness.group_view("nobody")
        assert view.describe() == ((), {})
        assert view.describe().owner(0) is None

    async def test_who_has_what_and_committed_what(self, harness: GroupHarness) -> None:
        writer, view = await harness.writer(), harness.group_view("group")
        await writer.append([NewRecord(partition, b"t", b"x") for partition in range(PARTITIONS)])
        subscription, other = harness.subscription("group", Recorder()), harness.subscription("other", Recorder())
        poll_all(subscription, PARTITIONS)
        poll_all(other, PARTITIONS)
        subscription.commit(2, 1)
        other.commit(1, 1)
        described = view.describe()
        assert {described.owner(partition) for partition in range(PARTITIONS)} != {None}
        assert sorted(partition for member in described.members for partition in member.partitions) == [0, 1, 2, 3]
        assert all(member.name for member in described.members)
        await wait_for(lambda: view.describe().committed == {2: 1})
        subscription.close()
        await wait_for(lambda: view.describe().members == ())
        assert view.describe().committed == {2: 1}
        assert harness.group_view("other").describe().owner(3)

    async def test_looking_does_not_join(self, harness: GroupHarness) -> None:
        writer, view = await harness.writer(), harness.group_view("group")
        await writer.append([NewRecord(partition, b"t", b"x") for partition in range(PARTITIONS)])
        listener = Recorder()
        subscription = harness.subscription("group", listener)
        for _ in range(3):
            view.describe()
        assert len(poll_all(subscription, PARTITIONS)) == PARTITIONS
        for _ in range(20):
            view.describe()
            assert subscription.poll(0.01, 1000) == []
        assert listener.revocations == []
        view.close()
        view.close()
