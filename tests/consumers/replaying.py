"""A replay over the log and the bucket of a rehearsal; every one is a new process."""

import threading

from bucket.manifests import ManifestStore
from bucket.workspace import Workspace
from consumers.recipe import make_recipe
from consumers.replay_range import Selection, Span, resolve
from consumers.replay_report import SegmentReport
from consumers.retry import Backoff, Retry
from forebay.clock import ManualClock
from forebay.errors import Retryable
from forebay.replay_run import ReplayRun
from tests.consumers.memory_log import MemoryReader
from tests.consumers.rehearsal import START, Rehearsal

MUCH_LATER = START + 24 * 3_600_000


class Unwatched:
    """Implements Watch."""

    def begin(self, span: Span) -> None:
        pass

    def advance(self, partition: int, offset: int) -> None:
        pass


def replay(
    world: Rehearsal,
    selection: Selection | None = None,
    *,
    dry_run: bool = False,
    rebuild: bool = False,
    now: int = MUCH_LATER,
) -> list[SegmentReport]:
    failures: list[Retryable] = []

    def failed(error: Retryable, wait: float) -> None:
        failures.append(error)
        if len(failures) > 20:
            raise error

    stop = threading.Event()
    reader = MemoryReader(world.log)
    run = ReplayRun(
        reader,
        world.bucket,
        recipe=make_recipe(
            world.segment, world.bounds, world.external_labels, "tenant_id", world.ha, label_window=world.label_window
        ),
        segment=world.segment,
        threads=2,
        segment_bytes=1 << 20,
        workspace=Workspace(world.directory, "replay"),
        clock=ManualClock(now),
        stop=stop,
        retry=Retry(stop, lambda: Backoff(0.001, 0.001), failed),
        watch=Unwatched(),
        dry_run=dry_run,
    )
    spans = resolve(selection or Selection(), reader, ManifestStore(world.bucket))
    return list(run.run(spans, rebuild=rebuild))
