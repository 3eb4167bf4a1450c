"""POST /api/v1/read: Prometheus' remote read, sampled answers.

Source: docs/remote-read.md. Answers carry the series as they were written: no tenant or external label is
added, and values travel as 64-bit patterns, so that stale markers and the sign of zero survive.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from structlog.typing import FilteringBoundLogger

from forebay.errors import Forbidden, InvalidData, Retryable
from query.body import Bodies
from query.histogram_wire import encode_histogram
from query.memory import Holding, QueryMemory
from query.metrics import QueryMetrics
from query.negotiation import check_accepted
from query.patterns import PatternBudget
from query.selector import Selector
from query.settings import QuerySettings
from wire.remote_read import (
    ReadQuery,
    decode_read_request,
    encode_query_result,
    encode_read_response,
    encode_timeseries,
)
from wire.snappy import compress, decompress

PATH = "/api/v1/read"
_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}


class RemoteRead:
    """The handler; work is done in threads, at most `max_concurrent` at once."""

    def __init__(
        self,
        selector: Selector,
        settings: QuerySettings,
        tenant_of: Callable[[web.Request], str],
        metrics: QueryMetrics,
        logger: FilteringBoundLogger,
    ) -> None:
        self._selector = selector
        self._settings = settings
        self._tenant_of = tenant_of
        self._metrics = metrics
        self._logger = logger
        self._bodies = Bodies(settings)
        self._memory = QueryMemory(settings.memory)
        self._turns = asyncio.Semaphore(settings.max_concurrent)

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """400 for what will never be right, 503 for what may be soon."""
        try:
            tenant = self._tenant_of(request)
            with self._bodies.open() as body:
                compressed = await body.read(request)
                async with self._turns:
                    answer = await asyncio.to_thread(self.answer, tenant, compressed)
        except InvalidData as error:
            self._metrics.requests.labels("invalid").inc()
            status = 403 if isinstance(error, Forbidden) else 400
            return web.Response(status=status, text=f"{error}\n")
        except MemoryError:
            self._metrics.requests.labels("unavailable").inc()
            return web.Response(status=503, text="out of memory\n", headers={"Retry-After": "5"})
        except Retryable as error:
            self._metrics.requests.labels("unavailable").inc()
            self._logger.warning("remote read could not be answered", error=str(error))
            return web.Response(status=503, text=f"{error}\n", headers={"Retry-After": "5"})
        self._metrics.requests.labels("ok").inc()
        return web.Response(body=answer, headers=_HEADERS)

    def answer(self, tenant: str, body: bytes) -> bytes:
        """The compressed answer to a compressed request; blocks."""
        request = decode_read_request(decompress(body, self._settings.max_body_bytes))
        check_accepted(request.accepted_response_types)
        patterns, results, taken = PatternBudget(), [], 0
        with self._memory.open() as holding:
            for query in request.queries:
                result, samples = self._result(tenant, query, patterns, taken, holding)
                results.append(result)
                taken += samples
            self._metrics.samples.inc(taken)
            return compress(encode_read_response(results))

    def _result(
        self, tenant: str, query: ReadQuery, patterns: PatternBudget, taken: int, holding: Holding
    ) -> tuple[bytes, int]:
        """The encoded result and its number of samples."""
        matchers, series, count = patterns.compile(query.matchers), [], 0
        found = self._selector.select(tenant, matchers, query.start_ms, query.end_ms, holding, taken=taken)
        for labels, samples in found:
            histograms = [encode_histogram(histogram) for histogram in samples.histograms]
            count += len(samples.timestamps) + len(histograms)
            series.append(encode_timeseries(labels, samples.timestamps, samples.bits, histograms))
            holding.take(3 * len(series[-1]))  # here, in its result, and in the answer
        return encode_query_result(series), count
