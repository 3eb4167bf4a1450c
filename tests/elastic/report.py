"""The tables of a run, as Markdown."""

import statistics
from collections.abc import Iterable, Sequence

from tests.elastic.changes import moves, summarize
from tests.elastic.run import Result
from tests.elastic.sampler import lags, standstill


def changes_table(results: Sequence[Result]) -> str:
    """A row for each change of each run."""
    lines = _head(
        "members, scaled down by",
        "change",
        "partitions moved",
        "pause of a moved partition, s: median (most)",
        "of that: until assigned, rebuilding (medians)",
        "all consumed again after, s",
        "most lag: records, seconds",
        "longest standstill of a consumer that stayed, s",
        "failed requests",
    )
    for result in results:
        lag = lags(result.rows)
        ends = [*(change.at for change in result.changes[1:]), result.end]
        for change, end in zip(result.changes, ends, strict=True):
            found = moves(result.holdings, change.at, end)
            summary = summarize(change, found)
            looks = [look for look in lag if change.at <= look.at < end]
            failed = sum(change.at <= failure.at < end for failure in result.failures)
            if summary is None:
                cells = ["0", "", "", ""]
            else:
                cells = [
                    str(summary.moved),
                    f"{summary.median:.2f} ({summary.most:.2f})",
                    f"{summary.median_unread:.2f}, {summary.median_rebuilding:.2f}",
                    f"{summary.settled:.1f}",
                ]
            cells += [
                f"{max(look.records for look in looks):,}, {max(look.seconds for look in looks):.1f}",
                f"{standstill(result.rows, change.at, end):.1f}",
                str(failed),
            ]
            lines.append(f"| {result.plan} | {change} | {' | '.join(cells)} |")
    return "\n".join(lines)


def totals_table(results: Sequence[Result]) -> str:
    """A row for each run: what went in and what came out."""
    lines = _head(
        "run",
        "requests",
        "failed",
        "p50 / p99 / most of a write, ms",
        "latest began, s",
        "samples acknowledged",
        "in blocks",
        "blocks",
        "problems",
        "load of the machine",
    )
    for result in results:
        took = result.latencies
        latency = " / ".join(
            f"{took[min(len(took) - 1, int(len(took) * share))] * 1000:.0f}" for share in (0.5, 0.99, 1)
        )
        lines.append(
            f"| {result.plan} | {len(took):,} | {len(result.failures)} | {latency} | {result.latest:.1f} "
            f"| {result.acknowledged:,} | {result.stored:,} | {result.blocks:,} | {len(result.problems)} "
            f"| {statistics.mean(row.load for row in result.rows):.0f} |"
        )
    return "\n".join(lines)


def signals_table(result: Result) -> str:
    """What an autoscaler would see in each stage, away from the changes: by the number of consumers."""
    lines = _head(
        "consumers",
        "CPU of one, cores",
        "CPU of all",
        "memory of one, MiB",
        "lag, records: median (most)",
        "lag, seconds: median (most)",
    )
    lag = {look.at: look for look in lags(result.rows)}
    begins = [result.rows[0].at, *(change.at for change in result.changes)]
    ends = [*begins[1:], result.end]
    for count, begin, end in zip(result.plan.consumers, begins, ends, strict=True):
        rows = [row for row in result.rows if begin + (end - begin) / 3 <= row.at < end]
        both = [(name, rows[0].cpu[name], rows[-1].cpu[name]) for name in rows[0].cpu if name in rows[-1].cpu]
        shares = [(after - before) / (rows[-1].at - rows[0].at) for _, before, after in both]
        memory = statistics.mean(value for row in rows for value in row.memory.values()) / 2**20
        records, seconds = [lag[row.at].records for row in rows], [lag[row.at].seconds for row in rows]
        lines.append(
            f"| {count} | {statistics.mean(shares):.3f} | {sum(shares):.3f} | {memory:.0f} "
            f"| {statistics.median(records):,.0f} ({max(records):,}) "
            f"| {statistics.median(seconds):.1f} ({max(seconds):.1f}) |"
        )
    return "\n".join(lines)


def _head(*columns: str) -> list[str]:
    return [_row(columns), _row(["---"] * len(columns)).replace(" ", "")]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
