"""What a test leaves behind is found, with its name; what it closed is not."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.leftovers import held, left


def test_an_open_file_is_named(tmp_path: Path) -> None:
    before = held()
    with (tmp_path / "forgotten").open("w"):
        assert str(tmp_path / "forgotten") in left(before, 0)
    assert str(tmp_path / "forgotten") not in left(before, 0)


def test_a_server_is_named() -> None:
    before = held()
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"127.0.0.1:{server.getsockname()[1]}"
        assert name in left(before, 0)
    assert name not in left(before, 0)


def test_a_child_is_named() -> None:
    before = held()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert any(each.startswith(f"pid {child.pid} ") for each in left(before, 0))
        assert child.stdin is not None
        child.stdin.write(b"\n")
    assert not any(each.startswith(f"pid {child.pid} ") for each in left(before, 0))
