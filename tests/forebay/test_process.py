"""The life of a role's process."""

import asyncio
import gc
from contextlib import AsyncExitStack
from pathlib import Path

from forebay.flags import parse_flags
from forebay.process import Process, run_role
from forebay.settings import Settings


def test_what_a_role_has_started_with_is_never_looked_through_for_garbage_again(tmp_path: Path) -> None:
    seen: list[int] = []

    async def start(process: Process, _parts: AsyncExitStack) -> None:
        def look() -> None:
            seen.append(gc.get_freeze_count())
            process.end()

        asyncio.get_running_loop().call_later(0.01, look)

    before = gc.get_freeze_count()
    try:
        assert run_role("gateway", parse_flags(["gateway", f"--data.dir={tmp_path}"]), Settings(), start) == 0
    finally:
        gc.unfreeze()
    assert seen[0] > before + 10_000
