"""Opens the log that the settings name."""

from pathlib import Path

from broker.embedded import EmbeddedWriter
from broker.embedded_group import EmbeddedSubscription
from broker.embedded_reader import EmbeddedReader
from broker.log import Listener, LogReader, LogWriter, Subscription
from broker.settings import BrokerSettings
from forebay.clock import Clock
from forebay.errors import Fatal


def open_writer(settings: BrokerSettings, directory: Path, clock: Clock) -> LogWriter:
    """Creates the log where there is none. Blocks. Raises Fatal, LogUnavailable; `directory` is the embedded log's."""
    _check_built(settings)
    return EmbeddedWriter(settings.embedded, directory, clock)


def open_reader(settings: BrokerSettings, directory: Path) -> LogReader:
    """Blocks. Raises Fatal, and LogUnavailable where there is no log yet."""
    _check_built(settings)
    return EmbeddedReader(directory)


def open_subscription(
    settings: BrokerSettings, directory: Path, group: str, listener: Listener, clock: Clock
) -> Subscription:
    """Blocks. Raises Fatal, and LogUnavailable where there is no log yet. Joins the group with its first poll."""
    _check_built(settings)
    return EmbeddedSubscription(directory, group, listener, clock)


def _check_built(settings: BrokerSettings) -> None:
    if settings.type != "embedded":
        raise Fatal(
            f"this log is not built into this version yet broker.type={settings.type}",
            hint="set broker.type: embedded",
        )
