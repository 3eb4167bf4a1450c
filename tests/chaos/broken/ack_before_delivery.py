"""A build that answers 204 once a request is on its way to the log, and does not wait for it to arrive."""

import asyncio
import sys

from forebay.main import main
from gateway.intake import Intake
from gateway.rate import Arrival
from wire.write_request import Routed

_appended = Intake.append
_on_their_way: set[asyncio.Task[None]] = set()


async def append(self: Intake, tenant: str, routed: Routed, arrival: Arrival | None = None) -> None:
    task = asyncio.create_task(_appended(self, tenant, routed, arrival))
    _on_their_way.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[None]) -> None:
    _on_their_way.discard(task)
    task.cancelled() or task.exception()  # nobody is told


if __name__ == "__main__":
    Intake.append = append  # type: ignore[method-assign]
    sys.exit(main())
