"""/api/v1/limits/trial: proposed overrides, tried for a while beside the limits in force. For operators alone.

POST, with the overrides file as its body, begins; GET tells what would have been refused so far; DELETE ends.
"""

import asyncio
import secrets
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from aiohttp import web

from forebay.clock import Clock
from forebay.overrides_apart import load_apart
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings
from gateway.live_trial import LiveTrial, TrialRefused
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.siblings import Siblings
from gateway.trial import Trial
from gateway.trial_report import TrialReport, add_up

PATH = "/api/v1/limits/trial"
MAX_SECONDS = 3900
"""A little above what `forebay limits test` may ask for."""
TOPIC = "limits-trial"
_REPORT_BYTES = 32 << 20
_ACTIVE_BYTES = 128 << 20


class _Command(msgspec.Struct):
    """What the asked process tells all of them to do."""

    do: str
    id: str
    overrides: str = ""
    seconds: float = 0
    share: float = 1


class _Said(msgspec.Struct):
    """What a process says to that."""

    report: TrialReport | None = None
    problem: str = ""
    bad_data: bool = False
    """Whether the overrides are the problem."""


_COMMAND = msgspec.json.Decoder(_Command)


class TrialApi:
    """For the event loop."""

    def __init__(
        self,
        live: LiveTrial,
        *,
        enabled: bool,
        defaults: LimitSettings,
        ha: HaSettings,
        partitions: int,
        active_window_ms: int,
        siblings: Siblings,
        clock: Clock,
    ) -> None:
        self._live = live
        self._enabled = enabled
        self._defaults = defaults
        self._ha = ha
        self._partitions = partitions
        self._active_window_ms = active_window_ms
        self._siblings = siblings
        self._clock = clock
        siblings.provide(TOPIC, self._obey)

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.post(PATH, self._start), web.get(PATH, self._look), web.delete(PATH, self._stop)]

    async def _start(self, request: web.Request) -> web.Response:
        if not self._enabled:
            return _disabled()
        try:
            seconds, share = float(request.query.get("seconds", "60")), float(request.query.get("share", "1"))
            text = (await request.read()).decode()
        except ValueError as error:
            return _error(400, "bad_data", f"not a number, or not UTF-8: {error}")
        if not (0 < seconds <= MAX_SECONDS and 0 < share <= 1):
            return _error(400, "bad_data", f"seconds must be at most {MAX_SECONDS}, share at most 1, both above 0")
        trial_id = secrets.token_hex(8)
        said = await self._tell(_Command("start", trial_id, text, seconds, share / self._siblings.processes))
        refused = next((each for each in said if each.problem), None)
        if refused is None:
            return _json(200, {"status": "success", "data": {"id": trial_id}})
        await self._tell(_Command("stop", trial_id))
        return (
            _error(400, "bad_data", refused.problem) if refused.bad_data else _error(409, "conflict", refused.problem)
        )

    async def _look(self, request: web.Request) -> web.Response:
        if not self._enabled:
            return _disabled()
        said = await self._tell(_Command("look", request.query.get("id", "")))
        found = [each.report for each in said if each.report is not None]
        if not found:
            return _error(404, "not_found", said[0].problem)
        document = {"status": "success", "data": msgspec.to_builtins(add_up(found))}
        problems = [each.problem for each in said if each.problem]
        return _json(200, document | ({"warnings": problems} if problems else {}))

    async def _stop(self, request: web.Request) -> web.Response:
        if not self._enabled:
            return _disabled()
        said = await self._tell(_Command("stop", request.query.get("id", "")))
        if all(each.problem for each in said):
            return _error(404, "not_found", said[0].problem)
        return _json(200, {"status": "success", "data": {}})

    async def _tell(self, command: _Command) -> list[_Said]:
        """What each process says."""
        replies = await self._siblings.gather(TOPIC, msgspec.json.encode(command).decode())
        return [
            _Said(problem=f"process={each.process}: {each.problem}")
            if each.problem
            else msgspec.convert(each.value, _Said)
            for each in replies
        ]

    async def _obey(self, argument: str) -> Any:
        command, said = _COMMAND.decode(argument), _Said()
        try:
            if command.do == "start":
                trial = await asyncio.to_thread(self._make, command)
                self._live.start(command.id, trial, command.seconds)
            elif command.do == "look":
                said = _Said(await asyncio.to_thread(self._live.report, command.id))
            else:
                self._live.stop(command.id)
        except SettingsError as error:
            said = _Said(problem=str(error), bad_data=True)
        except TrialRefused as error:
            said = _Said(problem=str(error))
        return msgspec.to_builtins(said)

    def _make(self, command: _Command) -> Trial:
        with TemporaryDirectory(prefix="forebay-trial-") as directory:
            file = Path(directory) / "proposed"
            file.write_text(command.overrides, encoding="utf-8")
            overrides = load_apart(file, self._defaults)
        distinct = {each: _share(each, command.share) for each in {self._defaults, *overrides.values()}}
        shared = {tenant: distinct[each] for tenant, each in overrides.items()}
        policies = Policies(distinct[self._defaults], self._ha, self._partitions, shared)
        return Trial(
            policies,
            self._partitions,
            self._clock.now_ms(),
            max_bytes=_REPORT_BYTES,
            active_window_ms=self._active_window_ms,
            active_memory=_ACTIVE_BYTES,
        )


def _share(limits: LimitSettings, share: float) -> LimitSettings:
    """With this process' share of what holds for all gateways together."""
    burst = max(1, round(limits.samples_burst * share)) if limits.samples_burst else 0
    return msgspec.structs.replace(limits, samples_per_second=limits.samples_per_second * share, samples_burst=burst)


def _disabled() -> web.Response:
    return _error(403, "forbidden", "trials of limits are off (hint: --web.enable-admin-api)")


def _error(status: int, kind: str, text: str) -> web.Response:
    return _json(status, {"status": "error", "errorType": kind, "error": text})


def _json(status: int, document: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document) + b"\n", content_type="application/json")
