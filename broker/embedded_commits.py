"""Committed offsets of the embedded log: files `commits/<group>/<partition>` with one decimal number each.

Written by group members, read by the writer for retention: two processes, so a file is replaced whole. They are
advisory and not synced: after a power cut one may be older or empty, which keeps records longer, never shorter.
"""

import os
import re
from pathlib import Path

from forebay.errors import Fatal

_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def check_group(group: str) -> str:
    """The group's name where it can be a directory's; raises Fatal."""
    if not _GROUP.fullmatch(group):
        raise Fatal(
            f"not a name for a group group={group!r}",
            hint="set consumer.group to letters, digits, '_', '-' and '.' only, at most 200, not beginning with '.'",
        )
    return group


class Commits:
    """The commit files under one directory. Thread-safe; raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, group: str, partition: int, offset: int) -> None:
        directory = self._directory / check_group(group)
        directory.mkdir(parents=True, exist_ok=True)
        # One member per partition holds its lock, and one thread of it commits: the name is not shared.
        temporary = directory / f"{partition}.tmp"
        temporary.write_text(f"{offset}\n")
        temporary.replace(directory / str(partition))

    def read(self, group: str, partition: int) -> int | None:
        return _offset(self._directory / check_group(group) / str(partition))

    def furthest(self) -> dict[int, int]:
        """By partition, the largest offset that any group committed; no entry where none did.

        One group is enough: whichever committed has published everything before that offset.
        """
        furthest: dict[int, int] = {}
        try:
            groups = [entry.path for entry in os.scandir(self._directory) if entry.is_dir()]
        except FileNotFoundError:
            return furthest
        for group in groups:
            for entry in os.scandir(group):
                if entry.name.isdecimal() and (offset := _offset(Path(entry.path))) is not None:
                    partition = int(entry.name)
                    furthest[partition] = max(offset, furthest.get(partition, 0))
        return furthest


def _offset(path: Path) -> int | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    # Without its line end the number may have lost digits: as good as none.
    return int(text) if text.endswith(b"\n") and text[:-1].isdigit() else None
