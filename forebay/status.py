"""What runs and how far it is: /api/v1/status, and the data behind the page."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from broker.log import LogReader
from bucket.bucket import Bucket
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from consumers.status import PartitionStatus
from forebay.append_times import AppendTimes, age
from forebay.errors import ForebayError
from forebay.version import VERSION

if TYPE_CHECKING:
    from forebay.process import Process

_RECENT_BLOCKS = 12


class Status:
    """Gathers what the parts of this process know; parts that it does not have are left out.

    `open_log` is called when first asked, and again until there is a log; a consumer may start before its gateway.
    """

    def __init__(
        self,
        process: "Process",
        *,
        open_log: Callable[[], LogReader] | None = None,
        bucket: Bucket | None = None,
        consumed: Callable[[], Iterable[PartitionStatus]] | None = None,
    ) -> None:
        self._process = process
        self._open_log = open_log
        self._log: LogReader | None = None
        self._times: AppendTimes | None = None
        self._bucket = bucket
        self._manifests = ManifestStore(bucket) if bucket else None
        self._consumed = consumed
        self._newest: dict[int, Manifest] = {}
        self._blocks: deque[dict[str, Any]] = deque(maxlen=_RECENT_BLOCKS)
        self._turn = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.get("/api/v1/status", self._answer)]

    def close(self) -> None:
        """May be called twice."""
        if self._log is not None:
            self._log.close()

    async def gather(self) -> dict[str, Any]:
        """One look at everything; what blocks is asked from a thread, one asker at a time."""
        async with self._turn:
            return await asyncio.to_thread(self._gather)

    async def _answer(self, _request: web.Request) -> web.Response:
        document = msgspec.json.format(msgspec.json.encode(await self.gather()), indent=1)
        return web.Response(body=document + b"\n", content_type="application/json")

    def _gather(self) -> dict[str, Any]:
        process = self._process
        objections = process.readiness.objections()
        partitions: list[dict[str, Any]] = []
        try:
            partitions = self._partitions()
        except ForebayError as error:
            objections.append(f"status: {error}")
        return {
            "role": process.role,
            "version": VERSION,
            "uptime_seconds": (process.clock.now_ms() - process.started_ms) // 1000,
            "ready": not objections,
            "objections": objections,
            "log_id": self._log.log_id if self._log else None,
            "bucket": self._bucket.description if self._bucket else None,
            "partitions": partitions,
            "blocks": list(self._blocks),
        }

    def _partitions(self) -> list[dict[str, Any]]:
        if self._open_log is None:
            return []
        if self._log is None or self._times is None:
            self._log = self._open_log()
            self._times = AppendTimes(self._log)
        log, times = self._log, self._times
        consumed = {status.partition: status for status in (self._consumed() if self._consumed else ())}
        return [self._partition(log, times, number, consumed.get(number)) for number in range(log.partitions)]

    def _partition(
        self, log: LogReader, times: AppendTimes, number: int, consumed: PartitionStatus | None
    ) -> dict[str, Any]:
        now_ms = self._process.clock.now_ms()
        row: dict[str, Any] = {"partition": number} | (msgspec.to_builtins(consumed) if consumed else {})
        row["start_offset"] = log.start_offset(number)
        row["end_offset"] = log.end_offset(number)
        if consumed is not None:
            row["lag"] = max(0, row["end_offset"] - consumed.position)
            row["lag_seconds"] = times.age(number, consumed.position, now_ms) if row["lag"] else 0.0
        if self._manifests is None:
            return row
        newest = self._newest_manifest(self._manifests, log.log_id, number, consumed)
        row["manifest_end"] = manifest_end = newest.end if newest else 0
        row["unpublished"] = max(0, row["end_offset"] - manifest_end)
        oldest = consumed.oldest_append_time if consumed else None
        if not row["unpublished"]:
            row["unpublished_seconds"] = 0.0
        elif oldest is not None:
            row["unpublished_seconds"] = age(oldest, now_ms)
        else:
            row["unpublished_seconds"] = times.age(number, manifest_end, now_ms)
        row["last_segment"] = newest and {
            "start": newest.start,
            "end": newest.end,
            "ended_by": newest.ended_by,
            "last_append_time": newest.last_append_time,
            "samples": sum(block.samples for block in newest.blocks),
            "blocks": len(newest.blocks),
        }
        return row

    def _newest_manifest(
        self, manifests: ManifestStore, log_id: str, partition: int, consumed: PartitionStatus | None
    ) -> Manifest | None:
        """Asked of the bucket only when the consumer says that there is a newer one, or where there is no consumer."""
        known = self._newest.get(partition)
        known_end = known.end if known else None
        hint = consumed.last_end if consumed else known_end
        if consumed is not None and known_end == hint:
            return known
        newest = manifests.last(log_id, partition, hint)
        if newest is not None and newest != known:
            self._newest[partition] = newest
            self._blocks.extendleft(
                {
                    "ulid": block.ulid,
                    "partition": partition,
                    "tenant": block.tenant,
                    "window": block.window,
                    "series": block.series,
                    "samples": block.samples,
                    "bytes": sum(file.size for file in block.files),
                }
                for block in newest.blocks
            )
        return newest
