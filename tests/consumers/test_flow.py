from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from consumers.flow import Flow

if TYPE_CHECKING:
    from consumers.partition import Partition


@dataclass
class Held:
    """What the flow looks at of a partition."""

    number: int
    memory_bytes: int = 0
    located: bool = True
    waiting: bool = False
    sealing: bool = False
    mark: int | None = None

    @property
    def open(self) -> Any:
        return None if self.mark is None else SimpleNamespace(mark=self.mark)


def readable(flow: Flow, *held: Held, abandoned: int = 0) -> set[int]:
    return flow.readable(cast("list[Partition]", list(held)), abandoned)


def test_below_the_bound_all_are_read_but_those_that_wait() -> None:
    assert readable(Flow(100), Held(0, 50), Held(1, 50, waiting=True, sealing=True), Held(2, located=False)) == {0}


def test_above_the_bound_nothing_is_read_while_something_is_sealed() -> None:
    assert readable(Flow(100), Held(0, 60, mark=1), Held(1, 60, sealing=True)) == set()
    assert readable(Flow(100), Held(0, 60, mark=1), abandoned=60) == set()


def test_above_the_bound_with_nothing_sealed_the_nearest_mark_is_read_alone() -> None:
    assert readable(Flow(100), Held(0, 60, mark=7), Held(1, 60, mark=5), Held(2)) == {1}


def test_above_the_bound_with_nothing_sealed_something_is_always_read() -> None:
    assert readable(Flow(1), Held(0, 60), Held(1)) == {0}


def test_all_are_read_again_only_once_memory_is_well_below_the_bound() -> None:
    flow = Flow(100)
    assert readable(flow, Held(0, 101, mark=1), Held(1)) == {0}
    assert readable(flow, Held(0, 90, mark=1), Held(1)) == {0}
    assert readable(flow, Held(0, 80, mark=1), Held(1)) == {0, 1}
    assert readable(flow, Held(0, 90, mark=1), Held(1)) == {0, 1}
