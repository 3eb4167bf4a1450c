"""Whether the bucket can be written, and keeps its conditions: asked at start, and until it answers."""

import asyncio
from typing import TYPE_CHECKING

from bucket.bucket import Bucket, BucketMisconfigured, BucketUnavailable
from bucket.probe import probe_conditional_writes

if TYPE_CHECKING:
    from forebay.process import Process

_RETRY_SECONDS = 5.0


class BucketProbe:
    """Unready until the bucket has answered once."""

    def __init__(self, bucket: Bucket, process: "Process") -> None:
        self._bucket = bucket
        self._logger = process.logger("bucket")
        self._objection = "not probed yet"
        self._retrying: asyncio.Task[None] | None = None
        process.readiness.require("bucket", lambda: self._objection)

    async def start(self) -> None:
        """Raises BucketMisconfigured; a bucket that does not answer is asked again in the background."""
        if not await self._probe(at_start=True):
            self._retrying = asyncio.create_task(self._retry())

    async def stop(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.wait([self._retrying])

    async def _retry(self) -> None:
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            if await self._probe():
                return

    async def _probe(self, *, at_start: bool = False) -> bool:
        try:
            kept = await asyncio.to_thread(probe_conditional_writes, self._bucket)
        except BucketUnavailable as error:
            if at_start and isinstance(error, BucketMisconfigured):
                raise
            self._objection = str(error)
            self._logger.warning("bucket does not answer, asking again", error=str(error), retry_seconds=_RETRY_SECONDS)
            return False
        if not kept.create:
            self._logger.warning(
                "bucket has no conditional writes: exactly-once holds only with one consumer per partition",
                bucket=self._bucket.description,
                hint="run one consumer and no replica group, or use a store with If-None-Match",
            )
        self._objection = ""
        self._logger.info("bucket is ready", bucket=self._bucket.description, conditional_create=kept.create)
        return True
