"""What the pages are made of: one self-contained document, no script, no foreign asset, every value escaped."""

import datetime as dt
import html
from collections.abc import Iterable

STYLE = """
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

NOTHING = "–"  # noqa: RUF001 - an en dash is what stands in an empty cell


def document(title: str, parts: Iterable[str], *, refresh: int) -> str:
    """The whole of it; `parts` are HTML. It loads itself again every `refresh` seconds."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{refresh}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Cells are HTML."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="card"><table><tr>{head}</tr>{body}</table></div>'


def text(value: object) -> str:
    """Escaped."""
    return html.escape(str(value))


def number(value: int | None) -> str:
    """With thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def when(at_ms: int) -> str:
    """To the second, UTC."""
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
