"""Reads the overrides file in a process of its own, so that a large one never holds up requests.

Reading ten thousand tenants' YAML takes a second of processor time, most of it with the interpreter's lock held. The
other process hands over what it has read in small pieces.
"""

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from forebay.errors import Fatal
from forebay.overrides_file import load_overrides
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings
from gateway.turns import AT_A_TIME, give_way

_TIMEOUT_SECONDS: Final = 120.0
_Piece = list[tuple[LimitSettings, list[str]]]
"""Limits, and the tenants that have them."""


class ReadApartFailed(Fatal):
    """The other process ended otherwise than by reading the file or saying what is wrong with it."""


def load_apart(file: Path, defaults: LimitSettings, pause: Callable[[], None] = give_way) -> dict[str, LimitSettings]:
    """As `load_overrides`. Blocks, for a thread beside the event loop, which goes on in each `pause`.

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
        for limits, tenants in piece:
            overrides.update(dict.fromkeys(tenants, limits))
        pause()
    return overrides


def pieces(overrides: dict[str, LimitSettings]) -> Iterator[_Piece]:
    """Of at most AT_A_TIME tenants each; equal limits are one object in as few pieces as may be."""
    by_limits: dict[LimitSettings, list[str]] = {}
    for tenant, limits in overrides.items():
        by_limits.setdefault(limits, []).append(tenant)
    piece: _Piece = []
    left = AT_A_TIME
    for limits, tenants in by_limits.items():
        begin = 0
        while begin < len(tenants):
            some = tenants[begin : begin + left]
            piece.append((limits, some))
            begin += len(some)
            left -= len(some)
            if not left:
                yield piece
                piece, left = [], AT_A_TIME
    if piece:
        yield piece


def _read(file: Path) -> None:
    """What the other process does: defaults from stdin, pieces or what is wrong to stdout."""
    defaults = pickle.load(sys.stdin.buffer)  # noqa: S301 - what our own code has written
    try:
        for piece in pieces(load_overrides(file, defaults)):
            pickle.dump(piece, sys.stdout.buffer)
    except SettingsError as error:
        pickle.dump(error, sys.stdout.buffer)


if __name__ == "__main__":
    os.nice(10)  # requests go first
    _read(Path(sys.argv[1]))
