"""What the tests' own process holds: at the end of a run it must be no more than at the start."""

import gc
import time
from pathlib import Path

import psutil

_OPEN = Path("/proc/self/fd")  # Linux'
_OF_NO_INTEREST = ("pipe:", "anon_inode:", "/dev/", "socket:")
"""Event loops and worker processes of Python keep some of these until its end; sockets: `_servers`."""


def held() -> set[str]:
    """Files that are open, servers that listen, and child processes that live."""
    return _files() | _servers() | _children()


def left(before: set[str], seconds: float) -> set[str]:
    """What there is besides `before`, once that is nothing, or after `seconds`: an end takes its time."""
    deadline = time.monotonic() + seconds
    while True:
        gc.collect()
        found = held() - before
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _files() -> set[str]:
    if not _OPEN.is_dir():
        return set()
    found = set()
    for each in _OPEN.iterdir():
        try:
            target = str(each.readlink())
        except FileNotFoundError:  # the listing's own
            continue
        if not target.startswith(_OF_NO_INTEREST) and not target.endswith(" (deleted)"):  # as what pytest captures is
            found.add(target)
    return found


def _servers() -> set[str]:
    """Sockets that listen: a connection may be a client's that the last test still has, or be about to end."""
    every = psutil.Process().net_connections("inet")
    return {f"{each.laddr.ip}:{each.laddr.port}" for each in every if each.status == psutil.CONN_LISTEN}


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
