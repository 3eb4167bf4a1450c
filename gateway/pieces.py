"""A body that is larger than `gateway.max_body_bytes`: stored a part at a time, and answered as one.

Refusing it would lose data that can be stored. Each part is durable before the next is decompressed; where one cannot
be stored now, the sender sends all of it again, and what was stored before is a duplicate.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Final

from forebay.errors import InvalidData
from gateway.division import summed
from gateway.limits import LimitSettings
from gateway.reasons import BODY_TOO_LARGE, MALFORMED
from wire.large_body import LargeBody
from wire.snappy import BodyTooLarge
from wire.write_request import Routed

_NOTHING: Final = Routed([], 0, 0, 0, 0, 0, {}, [], {}, 0)


def can_be_split(limits: LimitSettings) -> bool:
    """Limits that hold for a request as a whole cannot be judged by its parts."""
    return not (limits.max_series_per_request or limits.max_samples_per_request or limits.max_exemplars_per_request)


async def store_pieces(
    pieces: LargeBody,
    *,
    turn: Callable[[], AbstractAsyncContextManager[object]],
    route: Callable[[bytes], Routed],
    append: Callable[[Routed], Awaitable[None]],
    refused: Callable[[InvalidData], None],
    executor: ThreadPoolExecutor,
) -> Routed:
    """What became of all pieces together, without their records.

    Each piece waits for a turn, is decompressed and routed by a thread, and appended. A piece that can never be stored
    ends it: `refused` is told, it is one of the `rejected`, and what came before is stored.

    Raises:
        InvalidData: of the first piece, before anything was stored.
        Retryable: the whole body must be sent again.
    """
    total = _NOTHING
    loop = asyncio.get_running_loop()
    begun = False

    def work() -> Routed | None:
        piece = next(pieces, None)
        return None if piece is None else route(piece)

    while True:
        try:
            async with turn():
                routed = await loop.run_in_executor(executor, work)
        except InvalidData as error:
            if not begun:
                raise
            refused(error)
            reason = BODY_TOO_LARGE if isinstance(error, BodyTooLarge) else MALFORMED
            return summed([total, _NOTHING._replace(rejected={reason: 1})])
        if routed is None:
            return total
        await append(routed)
        total = summed([total, routed._replace(records=[], parts=())])
        begun = True
