"""Bodies over `gateway.max_body_bytes`: all of them is stored, and answered once."""

from collections import Counter
from collections.abc import Sequence

import pytest
import snappy

from broker.log import Appended, LogUnavailable, NewRecord
from forebay.units import Size
from gateway.limits import LimitSettings
from gateway.settings import GatewaySettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, message
from tests.gateway.test_write_v2 import V2
from tests.wire.messages import WriteRequest
from tests.wire.requests_v2 import as_v2

SMALL = GatewaySettings(max_body_bytes=Size(4096))
SERIES = 500


def large(series: int = SERIES) -> bytes:
    return message(*(({"__name__": "up", "instance": f"host-{n:06}"}, [(NOW_MS, float(n))]) for n in range(series)))


def stored(records: Sequence[NewRecord]) -> Counter[float]:
    """How often each value lies in the log."""
    found: Counter[float] = Counter()
    for record in records:
        request = WriteRequest()
        request.ParseFromString(record.value)
        found.update(entry.samples[0].value for entry in request.timeseries)
    return found


EACH_ONCE = Counter(float(n) for n in range(SERIES))


async def test_a_body_over_the_cap_is_stored_whole(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(SMALL)
    assert await gateway.write(snappy.compress(large())) == (204, "")
    assert stored(log.records) == EACH_ONCE
    assert gateway.in_flight.bytes == 0
    assert gateway.count("forebay_gateway_samples_total", type="float") == SERIES


async def test_a_body_of_2_0_is_told_how_much_was_written(make_gateway: MakeGateway, log: FakeLog) -> None:
    # 500 series with a symbol each: the table alone would be more than half a piece of 4096 bytes.
    gateway = await make_gateway(GatewaySettings(max_body_bytes=Size(20_000)))
    bad = message(({"job": "nameless"}, [(NOW_MS, 1.0)]))
    async with gateway.client.post(
        "/api/v1/write",
        data=snappy.compress(as_v2(large() + bad)),
        headers={"Content-Type": V2, "Content-Encoding": "snappy"},
    ) as answer:
        assert answer.status == 400
        assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == str(SERIES)
        assert f"1 of {SERIES + 1} samples refused, {SERIES} stored: missing_name=1" in await answer.text()
    assert stored(log.records) == EACH_ONCE


class _FailsLater(FakeLog):
    """Confirms so many appends, then none."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.good = good

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        if self.good == 0:
            raise LogUnavailable("no disk")
        self.good -= 1
        return await super().append(records)


async def test_where_a_piece_is_not_durable_all_is_sent_again(make_gateway: MakeGateway) -> None:
    log = _FailsLater(3)
    gateway = await make_gateway(SMALL, writer=log)
    assert (await gateway.write(snappy.compress(large())))[0] == 503
    assert 0 < sum(stored(log.records).values()) < SERIES
    log.good = 1000
    assert (await gateway.write(snappy.compress(large())))[0] == 204
    assert stored(log.records).keys() == EACH_ONCE.keys()
    assert gateway.in_flight.bytes == 0


async def test_what_is_malformed_in_the_end_is_told_with_what_was_stored(
    make_gateway: MakeGateway, log: FakeLog
) -> None:
    gateway = await make_gateway(SMALL)
    status, text = await gateway.write(snappy.compress(large() + b"\x0a\xff"))
    assert status == 400
    assert f"1 of {SERIES + 1} samples refused, {SERIES} stored: malformed=1" in text
    assert stored(log.records) == EACH_ONCE
    assert "malformed" in [each.reason for each in gateway.rejections.book.report("default-tenant").reasons]


@pytest.mark.parametrize(
    "limits",
    [
        LimitSettings(max_series_per_request=100),
        LimitSettings(max_samples_per_request=100),
        LimitSettings(max_exemplars_per_request=100),
    ],
)
async def test_limits_of_a_request_are_not_judged_by_its_pieces(
    make_gateway: MakeGateway, log: FakeLog, limits: LimitSettings
) -> None:
    gateway = await make_gateway(SMALL, limits=limits)
    assert (await gateway.write(snappy.compress(large())))[0] == 413
    assert log.records == []


async def test_a_rate_refuses_all_of_it_or_nothing(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(SMALL, limits=LimitSettings(samples_per_second=1, samples_burst=100))
    assert (await gateway.write(snappy.compress(large())))[0] == 204
    assert stored(log.records) == EACH_ONCE
    assert (await gateway.write(snappy.compress(large())))[0] == 429
    assert stored(log.records) == EACH_ONCE


async def test_a_lie_about_the_length_is_400(gateway: Gateway, log: FakeLog) -> None:
    assert (await gateway.write(b"\x80\x80\x80\x80\x04" + snappy.compress(large())[2:]))[0] == 400
    assert log.records == []
