"""Limits tried in running gateways: begins a trial in each, waits, adds up what they saw."""

import contextlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from forebay.ask import request_of, without_login
from forebay.clock import Clock
from forebay.errors import Fatal, Retryable
from forebay.trial_api import PATH
from gateway.trial_report import TrialReport, add_up

_TIMEOUT_SECONDS = 60
_MARGIN_SECONDS = 60
"""A trial outlives its asker by this, and not for ever."""
_STEP_SECONDS = 1.0


class TrialNotStarted(Fatal):
    """A gateway does not answer, or will not."""


class _Asked(Retryable):
    """What a gateway answered, other than well."""


class _Started(msgspec.Struct):
    id: str


class _StartedAnswer(msgspec.Struct):
    data: _Started


class _ReportAnswer(msgspec.Struct):
    data: TrialReport
    warnings: tuple[str, ...] = ()


_STARTED = msgspec.json.Decoder(_StartedAnswer)
_REPORT = msgspec.json.Decoder(_ReportAnswer)


class LiveFound(NamedTuple):
    report: TrialReport
    missing: list[str]
    """Gateways, or their processes, whose requests are not in the report, and why."""


def try_live(
    urls: Sequence[str],
    overrides: bytes,
    seconds: float,
    *,
    authorization: str,
    clock: Clock,
    wait: Callable[[float], bool],
    advance: Callable[[int], None],
) -> LiveFound:
    """Each gateway is given its share of what holds for all of them, an equal one.

    `wait` sleeps, and says whether to go on; what was seen until then is told. Raises TrialNotStarted.
    """
    share = 1 / len(urls)
    query = urllib.parse.urlencode({"seconds": seconds + _MARGIN_SECONDS, "share": share})
    with contextlib.ExitStack() as trials:
        started = [trials.enter_context(_trial(url, query, overrides, authorization)) for url in urls]
        began = clock.monotonic()
        while (left := began + seconds - clock.monotonic()) > 0 and wait(min(left, _STEP_SECONDS)):
            advance(1)
        reports, missing = [], []
        for url, trial_id in zip(urls, started, strict=True):
            try:
                found = _REPORT.decode(_ask(url, "GET", f"id={trial_id}", None, authorization))
            except (_Asked, msgspec.DecodeError) as error:
                missing.append(f"{without_login(url)}: {error}")
            else:
                reports.append(found.data)
                missing += [f"{without_login(url)}: {warning}" for warning in found.warnings]
    return LiveFound(add_up(reports), missing)


@contextmanager
def _trial(url: str, query: str, overrides: bytes, authorization: str) -> Iterator[str]:
    try:
        trial_id = _STARTED.decode(_ask(url, "POST", query, overrides, authorization)).data.id
    except (_Asked, msgspec.DecodeError) as error:
        raise TrialNotStarted(f"no trial of limits in url={without_login(url)}: {error}") from error
    try:
        yield trial_id
    finally:
        with contextlib.suppress(_Asked):  # it ends by itself
            _ask(url, "DELETE", f"id={trial_id}", None, authorization)


def _ask(url: str, method: str, query: str, body: bytes | None, authorization: str) -> bytes:
    request = request_of(f"{url}{PATH}?{query}")
    request.method, request.data = method, body
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        with error:
            raise _Asked(f"status={error.code} {_told(error.read(4096))}") from error
    except (OSError, ValueError) as error:
        raise _Asked(f"{type(error).__name__}: {error}") from error


def _told(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace").strip()[:200]
