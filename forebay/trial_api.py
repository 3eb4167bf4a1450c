"""/api/v1/limits/trial: proposed overrides, tried for a while beside the limits in force. For operators alone.

POST, with the overrides file as its body, begins; GET tells what would have been refused so far; DELETE ends.
"""

import asyncio
import secrets
from typing import Any

import msgspec
from aiohttp import web

from forebay.clock import Clock
from forebay.overrides_file import parse_overrides
from forebay.strict_yaml import SettingsError
from gateway.limits import LimitSettings
from gateway.live_trial import LiveTrial
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.siblings import Siblings
from gateway.trial import Trial
from gateway.trial_report import TrialReport, add_up

PATH = "/api/v1/limits/trial"
MAX_SECONDS = 3900
"""A little above what `forebay limits test` may ask for."""
_TOPIC = "limits-trial"
_REPORT_BYTES = 32 << 20


class _Command(msgspec.Struct):
    """What the asked process tells all of them to do."""

    do: str
    id: str
    overrides: str = ""
    seconds: float = 0
    share: float = 1


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
        siblings: Siblings,
        clock: Clock,
    ) -> None:
        self._live = live
        self._enabled = enabled
        self._defaults = defaults
        self._ha = ha
        self._partitions = partitions
        self._siblings = siblings
        self._clock = clock
        siblings.provide(_TOPIC, self._obey)

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.post(PATH, self._start), web.get(PATH, self._look), web.delete(PATH, self._stop)]

    async def _start(self, request: web.Request) -> web.Response:
        if not self._enabled:
            return _disabled()
        try:
            seconds, share = float(request.query.get("seconds", "60")), float(request.query.get("share", "1"))
            text = (await request.read()).decode()
            await asyncio.to_thread(parse_overrides, text, self._defaults)
        except SettingsError as error:
            return _error(400, "bad_data", str(error))
        except ValueError as error:
            return _error(400, "bad_data", f"not a number, or not UTF-8: {error}")
        if not (0 < seconds <= MAX_SECONDS and 0 < share <= 1):
            return _error(400, "bad_data", f"seconds must be at most {MAX_SECONDS}, share at most 1, both above 0")
        trial_id = secrets.token_hex(8)
        replies = await self._tell(_Command("start", trial_id, text, seconds, share / self._siblings.processes))
        if problems := [problem for _, problem in replies if problem]:
            await self._tell(_Command("stop", trial_id))
            return _error(409, "conflict", "; ".join(problems))
        return _json(200, {"status": "success", "data": {"id": trial_id}})

    async def _look(self, request: web.Request) -> web.Response:
        if not self._enabled:
            return _disabled()
        replies = await self._tell(_Command("look", request.query.get("id", "")))
        found = [report for report, _ in replies if report is not None]
        if not found:
            return _error(404, "not_found", replies[0][1])
        document = {"status": "success", "data": msgspec.to_builtins(add_up(found))}
        problems = [problem for _, problem in replies if problem]
        return _json(200, document | ({"warnings": problems} if problems else {}))

    async def _stop(self, request: web.Request) -> web.Response:
        if not self._enabled:
            return _disabled()
        replies = await self._tell(_Command("stop", request.query.get("id", "")))
        if all(problem for _, problem in replies):
            return _error(404, "not_found", replies[0][1])
        return _json(200, {"status": "success", "data": {}})

    async def _tell(self, command: _Command) -> list[tuple[TrialReport | None, str]]:
        """What each process says: a report where it was asked for one, or why not."""
        replies = await self._siblings.gather(_TOPIC, msgspec.json.encode(command).decode())
        return [
            (None, f"process={each.process}: {each.problem}")
            if each.problem
            else (each.value and msgspec.convert(each.value, TrialReport), "")
            for each in replies
        ]

    async def _obey(self, argument: str) -> Any:
        command = _COMMAND.decode(argument)
        if command.do == "start":
            trial = await asyncio.to_thread(self._make, command)
            self._live.start(command.id, trial, command.seconds)
        elif command.do == "look":
            return msgspec.to_builtins(await asyncio.to_thread(self._live.report, command.id))
        else:
            self._live.stop(command.id)
        return None

    def _make(self, command: _Command) -> Trial:
        overrides = parse_overrides(command.overrides, self._defaults)
        distinct = {each: _share(each, command.share) for each in {self._defaults, *overrides.values()}}
        shared = {tenant: distinct[each] for tenant, each in overrides.items()}
        policies = Policies(distinct[self._defaults], self._ha, self._partitions, shared)
        return Trial(policies, self._partitions, self._clock.now_ms(), max_bytes=_REPORT_BYTES)


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
