"""A gateway on a real Kafka, a reader of its topic, and its memory over time: what the benches of overload share."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.log_audit import LogAudit
from bench.process import Measured, forebay
from tests.peers.kafka import KafkaBroker
from tests.peers.process import free_port
from tests.peers.recipes import PEERS

_TOPIC = "bench"
_RETENTION_MS = 180_000
_SEGMENT_BYTES = 64 << 20


@dataclass
class Setting:
    port: int
    process: Measured
    audit: LogAudit
    memory: list[tuple[float, float]] = field(default_factory=list)
    """(monotonic seconds, resident bytes), every second."""


@contextlib.asynccontextmanager
async def gateway_on_kafka(directory: Path, settings: dict[str, Any]) -> AsyncIterator[Setting]:
    """`settings` are the gateway's besides its broker. The topic lets go what is old: the reader must keep up."""
    with KafkaBroker(PEERS["kafka-4.1"], directory / "kafka") as broker:
        broker.create_topic(_TOPIC, 4, retention_ms=_RETENTION_MS, segment_bytes=_SEGMENT_BYTES)
        kafka = {"bootstrap_servers": broker.bootstrap, "topic": _TOPIC}
        file = directory / "forebay.yaml"
        file.write_text(json.dumps({"broker": {"type": "kafka", "kafka": kafka}, **settings}))
        port = free_port()
        with (
            LogAudit(broker.bootstrap, _TOPIC, directory / "numbers") as audit,
            forebay("gateway", port, file, directory / "data", directory / "gateway.log") as process,
        ):
            await asyncio.to_thread(process.wait_ready, f"http://127.0.0.1:{port}/-/ready")
            setting = Setting(port, process, audit)
            sampling = asyncio.create_task(_sample(setting))
            try:
                yield setting
            finally:
                sampling.cancel()
                await asyncio.wait([sampling])
            process.check_runs()
            await asyncio.to_thread(process.stop)


async def _sample(setting: Setting) -> None:
    while True:
        setting.memory.append((time.monotonic(), setting.process.memory()))
        await asyncio.sleep(1)
