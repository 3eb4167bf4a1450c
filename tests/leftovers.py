"""What the tests' own process holds: at the end of a run it must be no more than at the start."""

import gc
import time
from pathlib import Path

import psutil

_OPEN = Path("/proc/self/fd")  # Linux'
_OF_THE_INTERPRETER = ("pipe:", "anon_inode:", "/dev/")
"""Event loops and worker processes of Python keep some of these until its end."""


def held() -> set[str]:
    """Files and sockets that are open, and child processes that live."""
    return _files() | _children()


def left(before: set[str], seconds: float) -> set[str]:
    """What there is besides `before`, once that is nothing, or after `seconds`: connections take a while to end."""
    deadline = time.monotonic() + seconds
    while True:
        gc.collect()  # Kafka's clients end so
        found = held() - before
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _files() -> set[str]:
    if not _OPEN.is_dir():
        return set()
    sockets = {each.fd: f"{each.laddr} {each.raddr} {each.status}" for each in psutil.Process().net_connections("all")}
    found = set()
    for each in _OPEN.iterdir():
        try:
            target = str(each.readlink())
        except FileNotFoundError:  # the listing's own
            continue
        if not target.startswith(_OF_THE_INTERPRETER):
            found.add(f"{target} {sockets.get(int(each.name), '')}".strip())
    return found


def _children() -> set[str]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
        except psutil.Error:  # it ended meanwhile
            continue
        if "multiprocessing" not in command:  # its servers end with their parent
            found.add(f"pid {child.pid} {command or child.status()}")
    return found
