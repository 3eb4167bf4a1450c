"""GET /: what runs, how far each partition is, the last blocks, and how to point a Prometheus at it.

One self-contained document, no script, no foreign asset; it loads itself again every few seconds.
"""

import datetime as dt
import html
from typing import Any

from aiohttp import web

from forebay.status import Status
from forebay.units import rough

_STYLE = """
:root{color-scheme:light dark;--fg:#16222e;--soft:#5b6b7a;--line:#d8e0e7;--bg:#f7f9fb;--card:#fff;--deep:#0b5a83;
--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--fg:#e3eaf0;--soft:#93a3b1;--line:#2b3843;--bg:#10171d;--card:#172129;--deep:#6cc0ea;
--bad:#ff8a80}}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem}
h1{margin:0;font-size:1.6rem;color:var(--deep);letter-spacing:.02em}h2{font-size:1.05rem;margin:1.8rem 0 .5rem}
.soft{color:var(--soft)}.bad{color:var(--bad)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .8rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
code,pre{font:13px/1.5 ui-monospace,monospace}pre{margin:0;padding:.8rem 1rem}
.dot{display:inline-block;width:.6rem;height:.6rem;border-radius:50%;margin-right:.4rem;background:#2e9e5b}
.dot.no{background:var(--bad)}
a{color:var(--deep)}
"""


class Page:
    """Draws a Status."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [web.get("/", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(text=render(await self._status.gather(), request.host), content_type="text/html")


def render(status: dict[str, Any], host: str) -> str:
    """The document; every value in it is escaped."""
    state = "ready" if status["ready"] else "not ready"
    objections = "".join(f'<p class="bad">{_text(each)}</p>' for each in status["objections"])
    parts = []
    parts.append(
        f'<h1>Forebay</h1><p class="soft"><span class="dot{"" if status["ready"] else " no"}"></span>{state}'
        f" · {_text(status['role'])} · version {_text(status['version'])} · up {_span(status['uptime_seconds'])}"
        f"{_place('log', status['log_id'])}{_place('bucket', status['bucket'])}</p>{objections}"
    )
    if status["partitions"]:
        parts.append("<h2>Partitions</h2>" + _table(_PARTITION_HEADS, map(_partition_cells, status["partitions"])))
    if status["bucket"] and status["role"] != "compactor":
        blocks = _table(_BLOCK_HEADS, map(_block_cells, status["blocks"])) if status["blocks"] else _NO_BLOCKS
        parts.append(f"<h2>Last blocks</h2>{blocks}")
    if status["role"] in {"all-in-one", "gateway"}:
        parts.append(
            f'<h2>Point a Prometheus at it</h2><div class="card"><pre>{_text(_yaml(status, host))}</pre></div>'
        )
    parts.append(
        '<p class="soft"><a href="/api/v1/status">status as JSON</a> · <a href="/metrics">metrics</a> · '
        '<a href="/-/ready">ready</a></p>'
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>Forebay · {state}</title><style>{_STYLE}</style></head><body>"
        f"<main>{''.join(parts)}</main></body></html>\n"
    )


_NOTHING = "–"  # noqa: RUF001 - an en dash is what stands in an empty cell
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
        _text(row["partition"]),
        _number(row.get("position")),
        _number(row["end_offset"]),
        _lag(row.get("lag"), row.get("lag_seconds")),
        (_NOTHING if opened is None else f"from {opened:,}, {_number(row.get('samples'))} samples")
        + (f' <span class="{"bad" if row.get("failing") else "soft"}">{_text(state)}</span>' if state else ""),
        _number(row.get("series")),
        _bytes(row.get("memory_bytes")),
        _number(row.get("manifest_end")),
        _lag(row.get("unpublished"), row.get("unpublished_seconds")),
        f"{_number(last['samples'])} samples to {_when(last['last_append_time'])}, by {_text(last['ended_by'])}"
        if last
        else _NOTHING,
    )


def _block_cells(block: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"<code>{_text(block['ulid'])}</code>",
        _text(block["tenant"]),
        _when(block["window"]),
        _text(block["partition"]),
        _number(block["series"]),
        _number(block["samples"]),
        _bytes(block["bytes"]),
    )


def _yaml(status: dict[str, Any], host: str) -> str:
    lines = f"remote_write:\n  - url: http://{host}/api/v1/write\n"
    if status["role"] == "all-in-one":
        lines += f"remote_read:\n  - url: http://{host}/api/v1/read\n    read_recent: true\n"
    return lines


def _table(heads: tuple[str, ...], rows: Any) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="card"><table><tr>{head}</tr>{body}</table></div>'


def _text(value: Any) -> str:
    return html.escape(str(value))


def _place(name: str, value: str | None) -> str:
    return f" · {name} <code>{_text(value)}</code>" if value else ""


def _number(value: int | None) -> str:
    return _NOTHING if value is None else f"{value:,}"


def _lag(records: int | None, seconds: float | None) -> str:
    return _number(records) + (f", {rough(round(seconds * 1000))}" if records and seconds is not None else "")


def _bytes(value: int | None) -> str:
    if value is None:
        return _NOTHING
    size, units = float(value), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _when(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
