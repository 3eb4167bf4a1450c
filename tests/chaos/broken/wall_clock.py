"""A build that names blocks by the time at which it built them."""

import functools
import sys
import time

from consumers.naming import BlockIdentity
from forebay.main import main
from tsdb import ulid


@functools.cache
def _now(_: BlockIdentity) -> int:
    """One moment for each block, however often it is asked for its name."""
    return time.time_ns() // 1_000_000


def name(self: BlockIdentity, last_append_time: int) -> str:
    del last_append_time
    return ulid.encode(_now(self), self.digest()[:10])


if __name__ == "__main__":
    BlockIdentity.ulid = name  # type: ignore[method-assign]
    sys.exit(main())
