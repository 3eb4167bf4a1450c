"""The supervisor over small programs in place of gateways: when it starts them again, and when it gives up."""

import asyncio
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from forebay.listener import CannotListen
from forebay.logs import get_logger
from forebay.restarts import CrashLoop, Restarts
from forebay.shared_port import listen
from forebay.supervisor import Supervisor


async def supervise(script: str, *arguments: Path) -> int:
    slots = listen("127.0.0.1:0", 2)
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return await Supervisor(command, slots, CollectorRegistry(), get_logger("supervisor")).run()


async def test_what_cannot_start_at_all_ends_with_its_code() -> None:
    assert await asyncio.wait_for(supervise("raise SystemExit(3)"), 20) == 3
    assert await asyncio.wait_for(supervise("raise SystemExit(2)"), 20) == 2


def test_a_crash_loop_ends_with_1(tmp_path: Path) -> None:
    script = "import sys, tempfile; tempfile.mkstemp(dir=sys.argv[1]); raise SystemExit(1)"
    assert asyncio.run(supervise(script, tmp_path)) == 1
    assert 6 <= len(list(tmp_path.iterdir())) <= 12


def test_the_wait_doubles_and_a_process_that_ran_well_begins_anew() -> None:
    restarts = Restarts(0)
    assert [restarts.crashed(1) for _ in range(5)] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert restarts.crashed(61) == 0.1
    for _ in range(4):
        restarts.crashed(59)
    with pytest.raises(CrashLoop, match="process=0 times=6"):
        restarts.crashed(59)


def test_a_port_is_shared_by_its_own_processes_and_nobody_else() -> None:
    slots = listen("127.0.0.1:0", 3)
    address = slots[0][0].getsockname()
    assert [[one.getsockname() for one in slot] for slot in slots] == [[address]] * 3
    with pytest.raises(CannotListen, match="in use"):
        listen(f"127.0.0.1:{address[1]}", 3)
    for slot in slots:
        slot[0].close()
