"""GET /: what runs, how far each partition is, the last blocks, and how to point a Prometheus at it.

One self-contained document, no script, no foreign asset; it loads itself again every few seconds.
"""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from forebay.html import NOTHING, document, number, table, text, when
from forebay.status import Status
from forebay.units import rough

_GATEWAYS = frozenset({"all-in-one", "gateway"})
_PATH = "/tenant/rejections"
_REJECTIONS = f' · <a href="{_PATH}">rejections</a>'


class Page:
    """Draws a Status."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.get("/", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        url = f"{request.scheme}://{request.host}"
        return web.Response(text=render(await self._status.gather(), url), content_type="text/html")


def render(status: dict[str, Any], url: str) -> str:
    """The document; every value in it is escaped."""
    state = "ready" if status["ready"] else "not ready"
    objections = "".join(f'<p class="bad">{text(each)}</p>' for each in status["objections"])
    parts = []
    parts.append(
        f'<h1>Forebay</h1><p class="soft"><span class="dot{"" if status["ready"] else " no"}"></span>{state}'
        f" · {text(status['role'])} · version {text(status['version'])} · up {_span(status['uptime_seconds'])}"
        f"{_place('log', status['log_id'])}{_place('bucket', status['bucket'])}</p>{objections}"
    )
    if status["partitions"]:
        parts.append("<h2>Partitions</h2>" + table(_PARTITION_HEADS, map(_partition_cells, status["partitions"])))
    if status["bucket"] and status["role"] != "compactor":
        blocks = table(_BLOCK_HEADS, _block_rows(status)) if status["blocks"] else _NO_BLOCKS
        parts.append(f"<h2>Last blocks</h2>{blocks}")
    if status["role"] in _GATEWAYS:
        parts.append(f'<h2>Point a Prometheus at it</h2><div class="card"><pre>{text(_yaml(status, url))}</pre></div>')
    parts.append(
        '<p class="soft"><a href="/api/v1/status">status as JSON</a> · <a href="/metrics">metrics</a> · '
        f'<a href="/-/ready">ready</a>{_REJECTIONS if status["role"] in _GATEWAYS else ""}</p>'
    )
    return document(f"Forebay · {state}", parts, refresh=5)


_PARTITION_HEADS = (
    "partition",
    "position",
    "end",
    "lag",
    "open segment",
    "series",
    "memory",
    "built to",
    "not built",
    "last segment",
)
_BLOCK_HEADS = ("block", "tenant", "window", "partition", "series", "samples", "size")
_NO_BLOCKS = '<p class="soft">None seen yet: a segment is built when its interval ends (segment.interval).</p>'


def _partition_cells(row: dict[str, Any]) -> tuple[str, ...]:
    last = row.get("last_segment")
    state = row.get("failing") or ("sealing" if row.get("sealing") else "")
    opened = row.get("open_start")
    return (
        text(row["partition"]),
        number(row.get("position")),
        number(row["end_offset"]),
        _lag(row.get("lag"), row.get("lag_seconds")),
        (NOTHING if opened is None else f"from {opened:,}, {number(row.get('samples'))} samples")
        + (f' <span class="{"bad" if row.get("failing") else "soft"}">{text(state)}</span>' if state else ""),
        number(row.get("series")),
        _bytes(row.get("memory_bytes")),
        number(row.get("manifest_end")),
        _lag(row.get("unpublished"), row.get("unpublished_seconds")),
        f"{number(last['samples'])} samples to {when(last['last_append_time'])}, by {text(last['ended_by'])}"
        if last
        else NOTHING,
    )


def _block_rows(status: dict[str, Any]) -> list[tuple[str, ...]]:
    linked = status["role"] in _GATEWAYS
    return [_block_cells(block, linked=linked) for block in status["blocks"]]


def _block_cells(block: dict[str, Any], *, linked: bool) -> tuple[str, ...]:
    tenant = text(block["tenant"])
    return (
        f"<code>{text(block['ulid'])}</code>",
        f'<a href="{_PATH}?{urlencode({"tenant": block["tenant"]})}">{tenant}</a>' if linked else tenant,
        when(block["window"]),
        text(block["partition"]),
        number(block["series"]),
        number(block["samples"]),
        _bytes(block["bytes"]),
    )


def _yaml(status: dict[str, Any], url: str) -> str:
    lines = f"remote_write:\n  - url: {url}/api/v1/write\n"
    if status["role"] == "all-in-one":
        lines += f"remote_read:\n  - url: {url}/api/v1/read\n    read_recent: true\n"
    return lines


def _place(name: str, value: str | None) -> str:
    return f" · {name} <code>{text(value)}</code>" if value else ""


def _lag(records: int | None, seconds: float | None) -> str:
    return number(records) + (f", {rough(round(seconds * 1000))}" if records and seconds is not None else "")


def _bytes(value: int | None) -> str:
    if value is None:
        return NOTHING
    size, units = float(value), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
