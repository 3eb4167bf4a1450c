"""A look at a consumer group of the embedded log from outside: who holds which lock, and the commit files."""

from pathlib import Path

from broker import embedded_file
from broker.embedded_commits import Commits, check_group
from broker.flock import FileLock
from broker.log import GroupDescription, GroupMember, LogUnavailable


class EmbeddedGroupView:
    """A GroupView. Knows the members of this machine alone, and there are no others."""

    def __init__(self, directory: Path, group: str) -> None:
        """Raises Fatal."""
        self._group = check_group(group)
        self._locks_directory = directory / embedded_file.GROUPS / group
        self._commits = Commits(directory / embedded_file.COMMITS)

    def describe(self) -> GroupDescription:
        held: dict[str, list[int]] = {}
        committed = {}
        try:
            paths = self._locks_directory.glob("*.lock")
            for partition in sorted(int(path.stem) for path in paths if path.stem.isdecimal()):
                holder = FileLock.held_by(self._locks_directory / f"{partition}.lock")
                if holder is not None:
                    held.setdefault(f"pid {holder}", []).append(partition)
                offset = self._commits.read(self._group, partition)
                if offset is not None:
                    committed[partition] = offset
        except OSError as error:
            raise LogUnavailable(f"group cannot be looked at group={self._group} error={error}") from error
        members = [GroupMember(name, tuple(partitions)) for name, partitions in held.items()]
        return GroupDescription(tuple(members), committed)

    def close(self) -> None:
        """Nothing is held."""
