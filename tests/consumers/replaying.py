"""A replay over the log and the bucket of a rehearsal; every one is a new process."""

import threading

from bucket.manifests import ManifestStore
from consumers.recipe import make_recipe
from consumers.replay import Replay
from consumers.replay_log import ReplayLog
from consumers.replay_range import Selection, resolve
from consumers.replay_report import SegmentReport
from consumers.retry import Backoff, Retry
from forebay.clock import ManualClock
from forebay.errors import Retryable
from tests.consumers.memory_log import MemoryReader
from tests.consumers.rehearsal import START, Rehearsal

MUCH_LATER = START + 24 * 3_600_000


def replay(
    world: Rehearsal, selection: Selection | None = None, *, dry_run: bool = False, now: int = MUCH_LATER
) -> list[SegmentReport]:
    def failed(error: Retryable, wait: float) -> None:
        raise error

    stop = threading.Event()
    reader = MemoryReader(world.log)
    run = Replay(
        ReplayLog(
            reader, clock=ManualClock(now), grace=int(world.segment.grace), stop=stop, advance=lambda _p, _o: None
        ),
        world.bucket,
        recipe=make_recipe(world.segment, world.bounds, world.external_labels, "tenant_id", world.ha),
        threads=2,
        directory=world.directory / "replay",
        retry=Retry(stop, lambda: Backoff(0.001, 0.001), failed),
        dry_run=dry_run,
        done=lambda _p, _o: None,
    )
    spans = resolve(selection or Selection(), reader, ManifestStore(world.bucket))
    return [report for span in spans for report in run.run(span)]
