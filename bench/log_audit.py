"""Reads a topic beside what writes to it, and keeps the numbers of the requests it finds: `python -m bench.log_audit`.

A process of its own, since it decompresses all that is written. It ends after its input, having read to the end.
"""

import array
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from bench.marked import MARK

_BATCH = 500


def find(bootstrap: str, topic: str, file: Path) -> None:
    """Appends numbers to `file`, 8 bytes each, until stdin is closed and the topic's end is reached."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "audit",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": 65536,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    os.set_blocking(sys.stdin.fileno(), False)
    ending = False
    ends: dict[int, int] = {}
    reached = dict.fromkeys(partitions, 0)
    with file.open("ab") as sink:
        while not ending or any(reached[number] < end for number, end in ends.items()):
            numbers = array.array("q")
            for message in consumer.consume(_BATCH, timeout=0.2):
                if message.error() is not None:
                    raise RuntimeError(f"cannot read the topic: {message.error()}")
                numbers.extend(int(found) for found in MARK.findall(message.value() or b""))
                reached[message.partition() or 0] = (message.offset() or 0) + 1
            numbers.tofile(sink)
            sink.flush()
            if not ending and sys.stdin.buffer.read() == b"":
                ending = True
                ends = {
                    number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
                    for number in partitions
                }
    consumer.close()


class LogAudit:
    """The process, from outside."""

    def __init__(self, bootstrap: str, topic: str, file: Path) -> None:
        self._command = [sys.executable, "-m", "bench.log_audit", bootstrap, topic, str(file)]
        self._file = file

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
        return self

    def found(self) -> "array.array[int]":
        """Every number in the topic, as often as it is there; nothing may be writing any more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.wait(600):
            raise RuntimeError(f"audit ended with {self._process.returncode}")
        numbers = array.array("q")
        numbers.frombytes(self._file.read_bytes())
        return numbers

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    find(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
