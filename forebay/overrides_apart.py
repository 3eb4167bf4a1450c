"""Reads the overrides file in a process of its own, so that a large one never holds up requests.

Reading ten thousand tenants' YAML takes a second of processor time, most of it with the interpreter's lock held. The
other process hands over what it has read in small pieces, one for each distinct set of limits.
"""

import io
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from forebay.errors import Fatal
from forebay.overrides_file import load_overrides
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings

_TIMEOUT_SECONDS: Final = 120.0
_PIECE: Final = 500
"""Tenants handed over at a time."""


class ReadApartFailed(Fatal):
    """The other process ended otherwise than by reading the file or saying what is wrong with it."""


def load_apart(file: Path, defaults: LimitSettings) -> dict[str, LimitSettings]:
    """As `load_overrides`. Blocks, for a thread beside the event loop.

    Raises:
        SettingsError: as `load_overrides`.
        ReadApartFailed: the other process did not end well.
    """
    command = [sys.executable, "-m", "forebay.overrides_apart", str(file.absolute())]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            input=pickle.dumps(defaults),
            env=environment,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReadApartFailed(f"overrides file was not read: file={file} error={error}") from error
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ReadApartFailed(f"overrides file was not read: file={file} exit_code={ended.returncode} error={said}")
    overrides: dict[str, LimitSettings] = {}
    stream = io.BytesIO(ended.stdout)
    while stream.tell() < len(ended.stdout):
        piece = pickle.load(stream)  # noqa: S301 - what our own code has written
        if isinstance(piece, SettingsError):
            raise piece
        limits, tenants = piece
        overrides.update(dict.fromkeys(tenants, limits))
        time.sleep(0)  # the event loop's turn
    return overrides


def _pieces(overrides: dict[str, LimitSettings]) -> Iterator[tuple[LimitSettings, list[str]]]:
    by_limits: dict[LimitSettings, list[str]] = {}
    for tenant, limits in overrides.items():
        by_limits.setdefault(limits, []).append(tenant)
    for limits, tenants in by_limits.items():
        for start in range(0, len(tenants), _PIECE):
            yield limits, tenants[start : start + _PIECE]


def _read(file: Path) -> None:
    """What the other process does: defaults from stdin, pieces or what is wrong to stdout."""
    defaults = pickle.load(sys.stdin.buffer)  # noqa: S301 - what our own code has written
    try:
        for piece in _pieces(load_overrides(file, defaults)):
            pickle.dump(piece, sys.stdout.buffer)
    except SettingsError as error:
        pickle.dump(error, sys.stdout.buffer)


if __name__ == "__main__":
    os.nice(10)  # requests go first
    _read(Path(sys.argv[1]))
