"""Every answer of the write path, and what is durable when it is given."""

import asyncio

import pytest
import snappy

from broker.log import LogCorrupt, LogFull, LogUnavailable
from forebay.units import Duration
from gateway.settings import GatewaySettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, body, good, message
from tests.wire.messages import WriteRequest
from wire.hashing import tenant_seed
from wire.write_request import Router


async def test_all_written_is_204_without_a_body(gateway: Gateway, log: FakeLog) -> None:
    assert await gateway.write(good(100)) == (204, "")
    stored = WriteRequest()
    for record in log.records:
        stored.MergeFromString(record.value)
    assert len(stored.timeseries) == 100


async def test_records_are_one_per_partition_with_key_and_version(gateway: Gateway, log: FakeLog) -> None:
    await gateway.write(good(100), X_Scope_OrgID="team-a")
    assert sorted(record.partition for record in log.records) == [0, 1, 2, 3]
    assert {record.key for record in log.records} == {b"team-a"}
    assert {record.headers for record in log.records} == {(("forebay-version", b"1"),)}


async def test_a_log_that_grows_is_routed_over_as_it_is(gateway: Gateway, log: FakeLog) -> None:
    assert gateway.count("forebay_gateway_partitions") == 4
    log.partitions = 16
    assert await gateway.write(good(500)) == (204, "")
    assert {record.partition for record in log.records} == set(range(16))
    assert gateway.count("forebay_gateway_partitions") == 16
    assert gateway.count("forebay_gateway_log_info", log_id="fake") == 1


async def test_series_lie_where_the_router_puts_them_for_their_tenant(gateway: Gateway, log: FakeLog) -> None:
    await gateway.write(good(50), X_Scope_OrgID="team-a")
    expected = Router(4).route(snappy.decompress(good(50)), tenant_seed(b"team-a"), NOW_MS - 1000, NOW_MS + 1000)
    assert [(record.partition, record.value) for record in log.records] == expected.records


@pytest.mark.parametrize("path", ["/api/v1/write", "/api/v1/receive"])
async def test_both_paths_take_writes(gateway: Gateway, path: str) -> None:
    async with gateway.client.post(path, data=good()) as answer:
        # aiohttp's client says application/octet-stream where nothing else is said
        assert answer.status == 415
    async with gateway.client.post(path, data=good(), headers={"Content-Type": "application/x-protobuf"}) as answer:
        assert answer.status == 204


async def test_other_methods_are_405(gateway: Gateway) -> None:
    async with gateway.client.get("/api/v1/write") as answer:
        assert answer.status == 405


async def test_missing_content_headers_mean_remote_write_1(gateway: Gateway) -> None:
    assert await gateway.write(good(), Content_Type="", Content_Encoding="") == (204, "")


async def test_an_empty_request_is_204(gateway: Gateway, log: FakeLog) -> None:
    assert await gateway.write(snappy.compress(b"")) == (204, "")
    assert log.records == []


async def test_a_body_of_no_bytes_is_400(gateway: Gateway) -> None:
    status, _ = await gateway.write(b"")
    assert status == 400


async def test_metadata_alone_is_204(gateway: Gateway) -> None:
    request = WriteRequest()
    request.metadata.add(type=1, metric_family_name=b"up", help=b"whether it is up")
    assert await gateway.write(snappy.compress(request.SerializeToString())) == (204, "")
    assert gateway.count("forebay_gateway_metadata_total") == 1


async def test_bad_series_are_400_after_the_good_are_durable(gateway: Gateway, log: FakeLog) -> None:
    status, text = await gateway.write(
        body(
            ({"__name__": "good"}, [(NOW_MS, 1.0)]),
            ({"job": "nameless"}, [(NOW_MS, 1.0)]),
            ({"__name__": "old"}, [(NOW_MS - 8 * 86_400_000, 1.0)]),
            ({"__name__": "future"}, [(NOW_MS + 3_600_000, 1.0), (NOW_MS + 3_600_001, 1.0)]),
        )
    )
    assert status == 400
    first, *examples = text.splitlines()
    assert "hint: out_of_bounds_past: limits.max_age=1w; send samples sooner" in examples[-1]
    assert first.startswith("4 of 5 samples refused, 1 stored: ")
    assert "out_of_bounds_future=2" in first
    assert "missing_name=1" in first
    assert "out_of_bounds_past=1" in first
    assert any('missing_name series={job="nameless"}' in line for line in examples)
    assert any(f'series={{__name__="future"}} timestamp={NOW_MS + 3_600_000}' in line for line in examples)
    (record,) = log.records
    assert b"good" in record.value
    assert gateway.count("forebay_gateway_rejected_samples_total", reason="out_of_bounds_future") == 2
    assert gateway.count("forebay_gateway_samples_total", type="float") == 1


async def test_refusals_are_counted_by_tenant(gateway: Gateway) -> None:
    bad = body(*(({"job": f"j{n}"}, [(NOW_MS, 1.0)]) for n in range(7)))
    assert (await gateway.write(bad, X_Scope_OrgID="team-a"))[0] == 400
    assert (await gateway.write(good(), X_Scope_OrgID="team-b"))[0] == 204
    assert gateway.count("forebay_gateway_tenant_rejected_samples_total", tenant="team-a") == 7
    assert (
        gateway.registry.get_sample_value("forebay_gateway_tenant_rejected_samples_total", {"tenant": "team-b"}) is None
    )


async def test_requests_that_are_none_are_counted_with_what_is_wrong(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(GatewaySettings(max_body_bytes=1000))  # type: ignore[arg-type]
    one_series = b"\x0a\xb8\x17" + bytes(3000)
    for bad in (b"garbage", snappy.compress(b"not a write request"), snappy.compress(one_series)):
        assert (await gateway.write(bad, X_Scope_OrgID="team-a"))[0] in {400, 413}
    assert (await gateway.write(good(), X_Scope_OrgID=".."))[0] == 400
    book = gateway.rejections.book
    assert book.top(9) == ["team-a"]
    too_large, malformed = book.report("team-a").reasons
    assert (too_large.reason, too_large.requests, too_large.samples) == ("body_too_large", 1, 0)
    assert (malformed.reason, malformed.requests) == ("malformed", 2)
    assert "malformed write request: offset=" in malformed.examples[0].series


async def test_at_most_ten_examples_are_named(gateway: Gateway) -> None:
    status, text = await gateway.write(body(*(({"job": f"j{n}"}, [(NOW_MS, 1.0)]) for n in range(500))))
    assert status == 400
    assert len(text.splitlines()) == 11
    assert text.startswith("500 of 500 samples refused, none stored: ")


async def test_nothing_is_said_of_bad_series_while_the_good_are_not_durable(gateway: Gateway, log: FakeLog) -> None:
    log.error = LogUnavailable("no disk")
    status, _ = await gateway.write(
        body(({"__name__": "good"}, [(NOW_MS, 1.0)]), ({"job": "nameless"}, [(NOW_MS, 1.0)]))
    )
    assert status == 503
    assert gateway.count("forebay_gateway_rejected_samples_total", reason="missing_name") == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"garbage",
        b"\xff\x06\x00\x00sNaPpY" + bytes(20),
        good()[:-5],
        b"\xff\xff\xff\x0f" + good(),
        snappy.compress(b"not a write request"),
        snappy.compress(message(({"__name__": "up"}, [(NOW_MS, 1.0)]))[:-3]),
        snappy.compress(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    ],
    ids=["garbage", "framed", "cut", "lying", "not-protobuf", "cut-protobuf", "huge-length"],
)
async def test_malformed_bodies_are_400_and_nothing_is_appended(gateway: Gateway, log: FakeLog, bad: bytes) -> None:
    status, text = await gateway.write(bad)
    assert status in {400, 413}
    assert "Traceback" not in text
    assert log.records == []
    assert gateway.in_flight.bytes == 0
    assert (await gateway.write(good()))[0] == 204


async def test_one_series_over_the_cap_is_413(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(GatewaySettings(max_body_bytes=1000))  # type: ignore[arg-type]
    status, text = await gateway.write(snappy.compress(b"\x0a\xb8\x17" + bytes(3000)))
    assert status == 413
    assert "one series has bytes=3000" in text


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content_Type": "application/json"}, "unsupported media type"),
        ({"Content_Type": "application/x-protobuf; proto=something.Else"}, "unsupported media type"),
        ({"Content_Encoding": "gzip"}, "unsupported encoding"),
        ({"Content_Encoding": "zstd"}, "unsupported encoding"),
    ],
)
async def test_what_is_not_spoken_is_415_before_the_body_is_read(
    gateway: Gateway, headers: dict[str, str], says: str
) -> None:
    status, text = await gateway.write(b"corrupt", **headers)
    assert status == 415
    assert says in text


@pytest.mark.parametrize("error", [LogFull("full"), LogUnavailable("gone")])
async def test_a_log_that_cannot_is_503_with_retry_after(gateway: Gateway, log: FakeLog, error: Exception) -> None:
    log.error = error
    async with gateway.client.post(
        "/api/v1/write", data=good(), headers={"Content-Type": "application/x-protobuf"}
    ) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert gateway.count("forebay_gateway_requests_total", code="503") == 1
    assert gateway.in_flight.bytes == 0
    log.error = None
    assert (await gateway.write(good()))[0] == 204


async def test_a_corrupt_log_is_503_and_stops_the_process(gateway: Gateway, log: FakeLog) -> None:
    log.error = LogCorrupt("page 7", hint="restore it")
    status, text = await gateway.write(good())
    assert status == 503
    assert "page 7" not in text
    assert gateway.stopped == [log.error]


async def test_a_log_that_never_confirms_is_503(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(GatewaySettings(append_timeout=Duration(50)))
    log.gate = asyncio.Event()
    status, text = await gateway.write(good())
    assert status == 503
    assert "did not confirm in time" in text


async def test_2xx_only_after_the_append_returned(gateway: Gateway, log: FakeLog) -> None:
    log.gate = asyncio.Event()
    answer = asyncio.create_task(gateway.write(good()))
    await log.reached.wait()
    await asyncio.sleep(0.02)
    assert not answer.done()
    assert gateway.in_flight.requests == 1
    log.gate.set()
    assert await answer == (204, "")


async def test_a_sender_that_goes_away_does_not_cancel_an_append(gateway: Gateway, log: FakeLog) -> None:
    log.gate = asyncio.Event()
    answer = asyncio.create_task(gateway.write(good()))
    await log.reached.wait()
    answer.cancel()
    await asyncio.wait([answer])
    await asyncio.sleep(0.02)
    log.gate.set()
    await asyncio.sleep(0.02)
    assert gateway.in_flight.requests == 0
    assert log.records


async def test_a_bug_is_500_and_says_nothing_of_the_inside(gateway: Gateway, log: FakeLog) -> None:
    log.error = ZeroDivisionError("secret detail")
    status, text = await gateway.write(good())
    assert status == 500
    assert "secret" not in text
    assert "Traceback" not in text
    assert gateway.count("forebay_gateway_requests_total", code="500") == 1
    assert gateway.in_flight.bytes == 0


async def test_large_bodies_are_worked_on_beside_the_loop(make_gateway: MakeGateway, log: FakeLog) -> None:
    gateway = await make_gateway(GatewaySettings(thread_bytes=0))  # type: ignore[arg-type]
    assert await gateway.write(good(1000)) == (204, "")
    assert sum(len(record.value) for record in log.records) == len(snappy.decompress(good(1000)))
