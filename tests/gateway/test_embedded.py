"""The write path on the real embedded log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.log import LogWriter
from broker.open import open_reader, open_writer
from broker.record import tenant_of, version_of
from broker.settings import BrokerSettings
from forebay.clock import SystemClock
from tests.gateway.conftest import MakeGateway
from tests.gateway.requests import good
from tests.wire.messages import WriteRequest


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[LogWriter]:
    writer = open_writer(BrokerSettings(), tmp_path, SystemClock())
    yield writer
    await writer.close()


async def test_what_was_acknowledged_can_be_read_from_the_log(
    make_gateway: MakeGateway, embedded: LogWriter, tmp_path: Path
) -> None:
    gateway = await make_gateway(writer=embedded)

    async def acknowledged(tenant: str) -> int:
        while (status := (await gateway.write(good(50), X_Scope_OrgID=tenant))[0]) == 503:
            pass  # a machine that stands still for a moment is overload
        return status

    assert await asyncio.gather(*(acknowledged(f"team-{n}") for n in range(20))) == [204] * 20
    reader = open_reader(BrokerSettings(), tmp_path)
    seen: dict[str, int] = {}
    for partition in range(reader.partitions):
        for record in reader.read(partition, 0, 1 << 30):
            assert version_of(record) == 1
            request = WriteRequest()
            request.ParseFromString(record.value)
            tenant = tenant_of(record)
            seen[tenant] = seen.get(tenant, 0) + len(request.timeseries)
    reader.close()
    assert seen == {f"team-{n}": 50 for n in range(20)}


async def test_a_closed_log_is_503(make_gateway: MakeGateway, embedded: LogWriter) -> None:
    gateway = await make_gateway(writer=embedded)
    await embedded.close()
    assert (await gateway.write(good()))[0] == 503
    assert gateway.in_flight.bytes == 0
