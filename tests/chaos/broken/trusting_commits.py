"""A build that goes on where the group's committed offset says, and not behind the last manifest."""

import sys
from typing import Any

from consumers.assignment import Assignment
from consumers.partition import Partition
from forebay.main import main

_noted = Assignment._note


def note(self: Assignment, partition: Partition, found: Any) -> None:
    _noted(self, partition, found)
    if partition.located:
        partition.position = self.subscription.committed(partition.number) or 0


if __name__ == "__main__":
    Assignment._note = note  # type: ignore[method-assign]
    sys.exit(main())
