"""Appends until it is killed; says on stdout which records were acknowledged. `appender.py DIRECTORY ROUND`."""

import asyncio
import hashlib
import sys
from pathlib import Path

from broker.embedded import EmbeddedWriter
from broker.log import NewRecord
from broker.settings import EmbeddedSettings
from forebay.clock import SystemClock


def value_of(name: str) -> bytes:
    """From 32 bytes to 32 KiB; half of it repeats, so that both codecs are used."""
    digest = hashlib.sha256(name.encode()).digest()
    return name.encode() + b" " + digest * (1 << digest[0] % 11)


async def main(directory: Path, run: str) -> None:
    writer = EmbeddedWriter(EmbeddedSettings(), directory, SystemClock())

    async def sender(number: int) -> None:
        count = 0
        while True:
            names = [f"{run}-{number}-{count}-{partition}" for partition in range(4)]
            await writer.append([NewRecord(p, b"tenant", value_of(name)) for p, name in enumerate(names)])
            # One write for one acknowledgement: a line is there whole, or the append was never answered.
            sys.stdout.write(" ".join(names) + "\n")
            sys.stdout.flush()
            count += 1

    async with asyncio.TaskGroup() as senders:
        for number in range(6):
            senders.create_task(sender(number))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
