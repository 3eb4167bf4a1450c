"""The table of what receivers did with a load, one row each, every figure the median of its runs."""

import statistics
from collections.abc import Callable, Sequence

from bench.contest import Result
from bench.process import KIB

Cell = Callable[[Sequence[Result]], str]


def _median(results: Sequence[Result], figure: Callable[[Result], float]) -> float:
    return statistics.median(figure(result) for result in results)


def _each(figure: Callable[[Result], float], style: str = ",.0f") -> Cell:
    """Its median; nothing where that is 0."""

    def cell(results: Sequence[Result]) -> str:
        value = _median(results, figure)
        return format(value, style) if value else ""

    return cell


def name_of(results: Sequence[Result]) -> str:
    return results[0].name + (", remote-write 2.0" if results[0].load.message == 2 else "")


def _with_services(results: Sequence[Result]) -> str:
    if not results[0].foreign_cpu_seconds:
        return ""
    return f"{_median(results, lambda r: r.load.samples / r.all_cpu_seconds):,.0f}"


def _cpu(results: Sequence[Result]) -> str:
    own = f"{_median(results, lambda r: r.cpu_seconds):.1f}"
    foreign = [
        f"{service} {statistics.median(result.foreign_cpu_seconds[service] for result in results):.1f}"
        for service in results[0].foreign_cpu_seconds
    ]
    return ", ".join([own, *foreign])


def _latency(results: Sequence[Result]) -> str:
    shares = (_median(results, lambda r: r.sent.percentile(0.5)), _median(results, lambda r: r.sent.percentile(0.99)))
    return " / ".join(f"{seconds * 1000:.0f}" for seconds in shares)


COLUMNS: dict[str, Cell] = {
    "receiver": name_of,
    "samples/s": _each(lambda r: r.load.samples / r.sent.seconds),
    "samples per CPU-second until acknowledged": _each(lambda r: r.load.samples / r.accepted_cpu_seconds),
    "until stored": _each(lambda r: r.rate),
    "with its services": _with_services,
    "CPU-seconds until stored": _cpu,
    "memory with all in it, KiB a series": _each(lambda r: r.memory_full / r.load.series / KIB, ".2f"),
    "at its peak": _each(lambda r: r.memory_peak / r.load.series / KIB, ".2f"),
    "log, bytes a sample": _each(lambda r: r.log_bytes / r.load.samples, ".1f"),
    "stored, bytes a sample": _each(lambda r: r.stored_bytes / r.load.samples, ".2f"),
    "p50 / p99 of a write, ms": _latency,
}


def results_table(runs: Sequence[Sequence[Result]]) -> str:
    """Markdown; a row for the runs of each receiver."""
    rows = [list(COLUMNS), ["---"] * len(COLUMNS), *([cell(results) for cell in COLUMNS.values()] for results in runs)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
