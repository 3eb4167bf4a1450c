"""Things that can be read anew while the process serves: on a change of their files, SIGHUP, or POST /-/reload.

files --watched--.
SIGHUP ----------+--> every thing, one after the other, on a thread --well--> the new one is in force
POST /-/reload --'                                                  --not---> the old one is; log and metric say so
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from forebay.clock import Clock
from forebay.errors import ForebayError
from gateway.siblings import Siblings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_Fingerprint = tuple[tuple[int, int, int, int] | None, ...]


class ReloadMetrics:
    """Labelled by what is reloaded; a thing is there from when it was first read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.successful = Gauge(
            "forebay_config_last_reload_successful",
            "Whether the last attempt to read it anew went well; 0 means that the old one is in force.",
            ["config"],
            registry=registry,
        )
        self.success_timestamp = Gauge(
            "forebay_config_last_reload_success_timestamp_seconds",
            "When what is in force was read.",
            ["config"],
            registry=registry,
        )


class _Thing(NamedTuple):
    name: str
    reload: Callable[[], None]
    files: Callable[[], Iterable[Path]]


class Reloads:
    """The things of one process. For its event loop, where not said otherwise."""

    def __init__(self, logger: "FilteringBoundLogger", registry: CollectorRegistry, clock: Clock) -> None:
        self._logger = logger
        self._metrics = ReloadMetrics(registry)
        self._clock = clock
        self._things: list[_Thing] = []
        self._seen: dict[str, _Fingerprint] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    def add(self, name: str, reload: Callable[[], None], files: Callable[[], Iterable[Path]] = tuple) -> None:
        """Call it right after the thing was read for the first time.

        `reload` reads it anew and puts it in force as a whole; it may block, is called on a thread, never twice at
        once, and raises ForebayError where the new one is not good, having changed nothing. It does not log. `files`
        are what it reads; it may be called from any thread, and is asked again after every reload.
        """
        thing = _Thing(name, reload, files)
        self._things.append(thing)
        self._seen[name] = _fingerprint(thing)
        self._succeeded(name)

    async def now(self) -> list[str]:
        """Reloads everything; returns what went wrong, by name."""
        async with self._turn:
            results = [await self._reload(thing) for thing in self._things]
        return [problem for problem in results if problem]

    def request(self) -> None:
        """As `now`, without waiting for it: what SIGHUP does."""
        self._spawn(self.now())

    def watch(self, interval: float) -> None:
        """Begins to look at the files every `interval` seconds."""
        self._spawn(self._watch(interval))

    async def stop(self) -> None:
        """Ends watching, and waits for a reload that is going on."""
        for task in self._tasks:
            task.cancel()
        async with self._turn:  # a thread that reloads is not cancelled by that
            pass

    def routes(self, siblings: Siblings, *, enabled: bool) -> list[web.RouteDef]:
        """POST /-/reload, for all processes behind the port; 403 unless `enabled`."""

        async def provide(_: str) -> list[str]:
            return await self.now()

        siblings.provide("reload", provide)

        async def answer(_request: web.Request) -> web.Response:
            if not enabled:
                return web.Response(status=403, text="reloading over HTTP is off (hint: --web.enable-lifecycle)\n")
            problems = [
                each if siblings.processes == 1 else f"process {reply.process}: {each}"
                for reply in await siblings.gather("reload")
                for each in ([reply.problem] if reply.problem else reply.value)
            ]
            return web.Response(status=500 if problems else 200, text="".join(f"{each}\n" for each in problems))

        return [web.post("/-/reload", answer)]

    async def _watch(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            async with self._turn:
                for thing in self._things:
                    if await asyncio.to_thread(_fingerprint, thing) != self._seen[thing.name]:
                        await self._reload(thing)

    async def _reload(self, thing: _Thing) -> str:
        """The problem, or "". In its turn only; a reload that has begun is always waited for."""
        # Taken before the file is read: what changes meanwhile is seen as one more change.
        self._seen[thing.name] = await asyncio.to_thread(_fingerprint, thing)
        work = asyncio.ensure_future(asyncio.to_thread(thing.reload))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except ForebayError as error:
            self._failed(thing.name, error=error.args[0], hint=error.hint)
            return f"{thing.name}: {error}"
        except Exception as error:  # noqa: BLE001 - a bug, told with its traceback; what is in force is served on
            self._failed(thing.name, error=str(error), exc_info=error)
            return f"{thing.name}: {type(error).__name__}: this is a bug in forebay; its log says more"
        self._succeeded(thing.name)
        self._logger.info("reloaded", config=thing.name)
        return ""

    def _failed(self, name: str, **fields: object) -> None:
        self._metrics.successful.labels(name).set(0)
        self._logger.error("could not reload; the old one stays in force", config=name, **fields)

    def _succeeded(self, name: str) -> None:
        self._metrics.successful.labels(name).set(1)
        self._metrics.success_timestamp.labels(name).set(self._clock.now_ms() / 1000)

    def _spawn(self, work: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _fingerprint(thing: _Thing) -> _Fingerprint:
    """Changes with what the files' names lead to: also where Kubernetes swaps a link to a directory."""
    found: list[tuple[int, int, int, int] | None] = []
    for file in thing.files():
        try:
            stat = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
