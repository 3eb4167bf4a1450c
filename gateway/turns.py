"""Long work on a thread, in small pieces: the event loop has its turn between any two."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")

AT_A_TIME = 200
"""Items of some microseconds each: less than a millisecond of the interpreter's lock."""


def give_way() -> None:
    """Lets go of the interpreter's lock, for whoever waits for it."""
    time.sleep(0)


def in_turns(items: Iterable[_Item], pause: Callable[[], None] = give_way) -> Iterator[_Item]:
    """The items, with a pause after each so many."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % AT_A_TIME:
            pause()
