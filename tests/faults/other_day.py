"""Consumes a log as a process would whose clock stands some days off: `python -m tests.faults.other_day`."""

import argparse
import threading
import time
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from broker.embedded_group import EmbeddedSubscription
from bucket.filesystem import FilesystemBucket
from consumers.worker import Consumer
from forebay.clock import SystemClock
from forebay.parts import settings_recipe
from forebay.settings_file import load_settings


class OtherDay(SystemClock):
    def __init__(self, days: int) -> None:
        self._shift = days * 86_400_000

    def now_ms(self) -> int:
        return super().now_ms() + self._shift


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("days", type=int)
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    clock = OtherDay(arguments.days)
    consumer = Consumer(
        lambda listener: EmbeddedSubscription(arguments.data / "log", settings.consumer.group_id, listener, clock),
        FilesystemBucket(arguments.data / "bucket"),
        recipe=settings_recipe(settings),
        segment=settings.segment,
        settings=settings.consumer,
        directory=arguments.data / "staging",
        clock=clock,
        logger=structlog.wrap_logger(structlog.ReturnLogger()),
        registry=CollectorRegistry(),
    )
    thread = threading.Thread(target=consumer.run)
    thread.start()
    while not (known := consumer.status()) or any(status.end_offset == 0 or status.unpublished for status in known):
        if not thread.is_alive():
            raise SystemExit(1)
        time.sleep(0.05)
    consumer.stop()
    thread.join()


if __name__ == "__main__":
    main()
