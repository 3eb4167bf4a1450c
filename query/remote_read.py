"""POST /api/v1/read: Prometheus' remote read, sampled answers.

Source: docs/remote-read.md. Answers carry the series as they were written: no tenant or external label is
added, and values travel as 64-bit patterns, so that stale markers and the sign of zero survive.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from structlog.typing import FilteringBoundLogger

from forebay.errors import InvalidData, Retryable
from query.histogram_wire import encode_histogram
from query.metrics import QueryMetrics
from query.negotiation import check_accepted
from query.selector import Selector
from query.settings import QuerySettings
from tsdb.matcher import Matcher, MatchType
from wire.remote_read import (
    ReadQuery,
    decode_read_request,
    encode_query_result,
    encode_read_response,
    encode_timeseries,
)
from wire.snappy import compress, decompress

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
        self._turns = asyncio.Semaphore(settings.max_concurrent)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/read", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """400 for what will never be right, 503 for what may be soon."""
        try:
            tenant = self._tenant_of(request)
            body = await self._body(request)
            async with self._turns:
                answer = await asyncio.to_thread(self.answer, tenant, body)
        except InvalidData as error:
            self._metrics.requests.labels("invalid").inc()
            return web.Response(status=400, text=f"{error}\n")
        except Retryable as error:
            self._metrics.requests.labels("unavailable").inc()
            self._logger.warning("remote read could not be answered", err=str(error))
            return web.Response(status=503, text=f"{error}\n", headers={"Retry-After": "5"})
        self._metrics.requests.labels("ok").inc()
        return web.Response(body=answer, headers=_HEADERS)

    async def _body(self, request: web.Request) -> bytes:
        limit = self._settings.max_body_bytes
        body = bytearray()
        async for part in request.content.iter_chunked(1 << 16):
            body += part
            if len(body) > limit:
                raise InvalidData(f"request body is too large: limit={limit}")
        return bytes(body)

    def answer(self, tenant: str, body: bytes) -> bytes:
        """The compressed answer to a compressed request; blocks."""
        request = decode_read_request(decompress(body, self._settings.max_body_bytes))
        check_accepted(request.accepted_response_types)
        return compress(encode_read_response([self._result(tenant, query) for query in request.queries]))

    def _result(self, tenant: str, query: ReadQuery) -> bytes:
        matchers = [Matcher(MatchType(kind), name, value) for kind, name, value in query.matchers]
        series = []
        for labels, samples in self._selector.select(tenant, matchers, query.start_ms, query.end_ms):
            histograms = [encode_histogram(histogram) for histogram in samples.histograms]
            self._metrics.samples.inc(len(samples.timestamps) + len(histograms))
            series.append(encode_timeseries(labels, samples.timestamps, samples.bits, histograms))
        return encode_query_result(series)
