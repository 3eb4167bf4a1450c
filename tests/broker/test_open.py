from pathlib import Path

import pytest

from broker.log import NewRecord
from broker.open import open_reader, open_subscription, open_writer
from broker.settings import BrokerSettings
from forebay.clock import SystemClock
from forebay.errors import Fatal
from tests.broker.contract import Recorder, poll_all, read_all, values


async def test_opens_the_embedded_log(tmp_path: Path) -> None:
    settings = BrokerSettings()
    writer = open_writer(settings, tmp_path / "log", SystemClock())
    await writer.append([NewRecord(3, b"t", b"x")])
    reader = open_reader(settings, tmp_path / "log")
    subscription = open_subscription(settings, tmp_path / "log", "group", Recorder(), SystemClock())
    assert values(read_all(reader, 3)) == values(poll_all(subscription, 1)) == [b"x"]
    subscription.close()
    reader.close()
    await writer.close()


def test_kafka_is_refused_clearly(tmp_path: Path) -> None:
    settings, clock = BrokerSettings(type="kafka"), SystemClock()
    for opening in (
        lambda: open_writer(settings, tmp_path, clock),
        lambda: open_reader(settings, tmp_path),
        lambda: open_subscription(settings, tmp_path, "group", Recorder(), clock),
    ):
        with pytest.raises(Fatal, match=r"not built into this version yet broker\.type=kafka"):
            opening()
