"""From routed requests to records that are durable and can be read: labels that were left out are within reach.

append --> where each record lies --> labels within reach? --> answer
                                        no: the same data with its labels, appended before the answer
"""

import asyncio
from collections.abc import Sequence

from broker.log import Appended, Headers, LogUnavailable, LogWriter, NewRecord
from broker.record import Replica, new_headers
from gateway.label_tables import LabelTables
from gateway.metrics import GatewayMetrics
from wire.write_request import Routed

Part = tuple[str, Routed]
"""A tenant, and what is to be stored for it."""


class Appender:
    """For one event loop."""

    def __init__(self, log: LogWriter, timeout: float, metrics: GatewayMetrics, labels: LabelTables | None) -> None:
        """An append may take `timeout` seconds; without `labels`, records are of version 1."""
        self._log = log
        self._timeout = timeout
        self._metrics = metrics
        self._labels = labels
        self._headers = {version: new_headers(version=version) for version in (1, 2)}

    async def append(self, parts: Sequence[Part]) -> None:
        """Every sample of these parts is durable, with labels where readers look for them, when it returns.

        Raises:
            LogFull, LogUnavailable: all of it must be sent again.
            LogCorrupt: the log cannot go on.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._append(parts)
        except TimeoutError as error:
            raise LogUnavailable(
                f"log did not confirm in time: timeout={self._timeout:g}s backlog_bytes={self._log.backlog_bytes()}",
                hint="see forebay_gateway_append_duration_seconds, and the disk or brokers behind the log",
            ) from error

    async def _append(self, parts: Sequence[Part]) -> None:
        records = [record for tenant, part in parts for record in self._records(tenant, part)]
        appended = await self._confirmed(records)
        if self._labels is None:
            return
        at = 0
        for tenant, part in parts:
            places, at = appended[at : at + len(part.records)], at + len(part.records)
            if out_of_reach := self._labels.learn(part, places):
                await self._append_again(tenant, part, {part.records[number][0] for number in out_of_reach})

    async def _append_again(self, tenant: str, part: Routed, partitions: set[int]) -> None:
        """What the part has in these partitions, with all its labels."""
        if part.again is None:
            raise TypeError("labels were left out of what cannot be routed again")
        routed = await asyncio.to_thread(part.again)
        chosen = {n: record for n, record in enumerate(self._records(tenant, routed)) if record.partition in partitions}
        places = dict(zip(chosen, await self._confirmed(list(chosen.values())), strict=True))
        self._metrics.label_rewrites.inc(len(chosen))
        if self._labels is not None:
            self._labels.learn(routed, [places.get(n, Appended(-1, -1)) for n in range(len(routed.records))])

    async def _confirmed(self, records: list[NewRecord]) -> list[Appended]:
        if not records:
            return []
        appended = await self._log.append(records)
        self._metrics.records.inc(len(records))
        self._metrics.record_bytes.inc(sum(len(record.value) for record in records))
        return appended

    def _records(self, tenant: str, routed: Routed) -> list[NewRecord]:
        version = 1 if routed.labels is None else 2
        key, headers = tenant.encode(), self._headers[version]
        named: dict[int, Headers] = {
            number: new_headers(Replica(*replica), version) for number, replica in routed.replicas.items()
        }
        return [
            NewRecord(partition, key, value, named.get(number, headers))
            for number, (partition, value) in enumerate(routed.records)
        ]
