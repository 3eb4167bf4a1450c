import threading

from forebay.component import Component, ComponentEnded


async def test_a_part_that_is_stopped_says_nothing() -> None:
    stop, told = threading.Event(), list[BaseException]()
    component = Component("part", lambda: (stop.wait(), None)[1], stop.set, told.append)
    component.start()
    await component.stop()
    assert told == []


async def test_a_part_that_raises_is_told() -> None:
    error, told = ZeroDivisionError(), list[BaseException]()

    def run() -> None:
        raise error

    component = Component("part", run, lambda: None, told.append)
    component.start()
    await component.stop()
    assert told == [error]


async def test_a_part_that_ends_unasked_is_told() -> None:
    told, ended = list[BaseException](), threading.Event()

    def failed(error: BaseException) -> None:
        told.append(error)
        ended.set()

    Component("part", lambda: None, lambda: None, failed).start()
    assert ended.wait(5)
    assert isinstance(told[0], ComponentEnded)
