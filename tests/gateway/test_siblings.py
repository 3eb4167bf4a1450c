from gateway.siblings import Alone, Reply


async def test_a_process_alone_answers_for_itself() -> None:
    alone = Alone()

    async def double(argument: str) -> str:
        return argument * 2

    alone.provide("double", double)
    assert await alone.gather("double", "ab") == [Reply(0, "abab")]
    assert alone.processes == 1


async def test_a_provider_that_fails_is_told_and_not_raised() -> None:
    alone = Alone()

    async def fail(argument: str) -> None:
        raise ValueError(f"no such {argument}")

    alone.provide("fail", fail)
    assert await alone.gather("fail", "tenant") == [Reply(0, problem="ValueError: no such tenant")]
    assert await alone.gather("other") == [Reply(0, problem="process does not know topic=other")]
