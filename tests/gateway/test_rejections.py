"""The book of rejections: what it tells, and that it stays small whoever writes into it."""

import tracemalloc

import pytest

from forebay.clock import ManualClock
from gateway.limits import LimitSettings
from gateway.reasons import ADVICE, GATEWAY_REASONS, advice
from gateway.rejection_book import EXAMPLES, RejectionBook
from gateway.rejection_log import EVERY_SECONDS, LINES, RejectionLog
from gateway.rejections_report import Example, ReasonReport, TenantReport, merge
from gateway.tenant_labels import OTHERS, TenantLabels
from tests.gateway.requests import NOW_MS, message
from wire.write_request import REASONS, Rejection, Routed, Router


def routed(*nameless: str, samples: int = 1) -> Routed:
    """One good series, and refused ones."""
    series = [({"job": job}, [(NOW_MS + n, 1.0) for n in range(samples)]) for job in nameless]
    body = message(({"__name__": "up"}, [(NOW_MS, 1.0)]), *series)
    return Router(4).route(body, 0, 0, NOW_MS * 2)


def test_what_was_refused_is_told_with_its_newest_examples() -> None:
    book = RejectionBook(NOW_MS)
    book.note("a", routed("x", "y", samples=3), NOW_MS + 1)
    book.note("a", routed(*(f"z{n}" for n in range(EXAMPLES))), NOW_MS + 2)
    book.note("b", routed("other"), NOW_MS + 3)
    (row,) = book.report("a").reasons
    assert (row.reason, row.stage, row.samples, row.requests) == ("missing_name", "gateway", 6 + EXAMPLES, 2)
    assert (row.first_time, row.last_time) == (NOW_MS + 1, NOW_MS + 2)
    assert [each.series for each in row.examples] == [f'{{job="z{n}"}}' for n in reversed(range(EXAMPLES))]
    assert {each.time for each in row.examples} == {NOW_MS + 2}
    assert (book.top(9), book.top(1)) == (["a", "b"], ["a"])
    assert (book.samples_of("a"), book.samples) == (6 + EXAMPLES, 7 + EXAMPLES)


def test_examples_are_of_different_series() -> None:
    book = RejectionBook(NOW_MS)
    for n in range(3):
        book.note("a", routed("x", "y"), NOW_MS + n)
    (row,) = book.report("a").reasons
    assert [(each.series, each.time - NOW_MS) for each in row.examples] == [('{job="y"}', 2), ('{job="x"}', 2)]


def test_good_requests_leave_nothing() -> None:
    book = RejectionBook(NOW_MS)
    book.note("a", routed(), NOW_MS)
    assert len(book) == 0
    assert book.report("a") == TenantReport("a", NOW_MS)


def test_whole_requests_and_shadow_are_counted_apart() -> None:
    book = RejectionBook(NOW_MS)
    book.note_request("a", "rate_limited", 0, NOW_MS)
    book.note_request("a", "rate_limited", 500, NOW_MS + 1)
    book.note_request("a", "rate_limited", 70, NOW_MS + 2, shadow=True)
    (row,) = book.report("a").reasons
    assert (row.samples, row.requests, row.shadow_samples, row.shadow_requests) == (500, 2, 70, 1)
    assert book.samples == 500


def test_of_too_many_tenants_the_quiet_ones_are_forgotten() -> None:
    book = RejectionBook(NOW_MS, max_bytes=100_000)
    for n in range(1000):
        book.note(f"tenant-{n}", routed("x"), NOW_MS + n)
        book.note("busy", routed("x"), NOW_MS + n)
    assert book.bytes <= 100_000
    assert 10 < len(book) < 100
    assert book.forgotten == 1001 - len(book)
    assert book.report("busy").samples == 1000
    assert book.report("tenant-999").samples == 1
    assert book.report("tenant-1").reasons == ()
    assert book.samples == 2000


def test_its_memory_is_what_it_says() -> None:
    """Twenty thousand tenants that are refused for every reason, with the longest examples there are."""
    found = Routed([], 0, 0, 0, 0, 0, dict.fromkeys(REASONS, 1), [], {}, 0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    book = RejectionBook(NOW_MS, max_bytes=4 << 20)
    for n in range(2000):
        examples = [Rejection(reason, f"{n:06}" + "ü" * 194, NOW_MS) for reason in REASONS]
        book.note(f"tenant-{n}", found._replace(examples=examples), NOW_MS)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert book.forgotten
    assert book.bytes <= 4 << 20
    assert held < 1.2 * (4 << 20)


def test_every_reason_has_advice() -> None:
    assert set(REASONS) <= set(ADVICE)
    assert {ADVICE[reason].setting for reason in GATEWAY_REASONS} <= {"", *LimitSettings.__struct_fields__}
    assert all(each.remedy for each in ADVICE.values())
    assert advice("of a newer version") == ("", "")


def row(reason: str = "missing_name", stage: str = "gateway", **given: object) -> ReasonReport:
    counts = {"samples": 1, "first_time": 5, "last_time": 6} | given
    return ReasonReport(reason=reason, stage=stage, **counts)  # type: ignore[arg-type]


def test_processes_are_merged() -> None:
    one = TenantReport(
        "a",
        10,
        (row(samples=3, requests=1, examples=(Example("x", None, 5),)), row("active_series", samples=9)),
    )
    two = TenantReport("a", 8, (row(samples=4, last_time=9, first_time=7, examples=(Example("y", 1, 9),)),))
    late = TenantReport("a", 9, (row("active_series", samples=12, last_time=8),))
    other = TenantReport("b", 3, (row("active_series", samples=100, shadow_samples=2),))
    b, a = merge([one, two, late, other])
    assert (b.tenant, b.samples, b.shadow_samples) == ("b", 100, 2)
    assert (a.tenant, a.since, a.samples, a.last_time) == ("a", 8, 28, 9)
    by_reason = {each.reason: each for each in a.reasons}
    missing = by_reason["missing_name"]
    assert (missing.samples, missing.requests, missing.first_time, missing.last_time) == (7, 1, 5, 9)
    assert [example.series for example in missing.examples] == ["y", "x"]
    assert by_reason["active_series"].samples == 21


class Lines:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def rejection_log(lines: Lines, clock: ManualClock) -> RejectionLog:
    return RejectionLog(lines, clock)  # type: ignore[arg-type]


def test_a_line_a_minute_and_what_it_left_out(rejection_log: RejectionLog, lines: Lines, clock: ManualClock) -> None:
    for _ in range(50):
        rejection_log.note("a", "label_value_too_long", 2, example='{x="y"}')
    rejection_log.note("a", "missing_name", 1)
    rejection_log.note("b", "missing_name", 1)
    assert [fields["tenant"] for _, fields in lines.lines] == ["a", "a", "b"]
    first = lines.lines[0][1]
    assert (first["samples"], first["not_logged_before"], first["example"]) == (2, 0, '{x="y"}')
    assert str(first["hint"]).startswith("limits.max_label_value_bytes: ")
    clock.advance(EVERY_SECONDS)
    rejection_log.note("a", "label_value_too_long", 5, shadow=True)
    rejection_log.note("a", "label_value_too_long", 7)
    (shadow, _), (event, fields) = lines.lines[3:]
    assert ("shadow" in shadow, event, fields["samples"], fields["not_logged_before"]) == (
        True,
        "samples refused",
        7,
        98,
    )


def test_ten_thousand_tenants_do_not_fill_the_log(
    rejection_log: RejectionLog, lines: Lines, clock: ManualClock
) -> None:
    for n in range(10_000):
        rejection_log.note(f"tenant-{n}", "missing_name", 1)
    assert len(lines.lines) == LINES
    clock.advance(EVERY_SECONDS)
    rejection_log.note("tenant-9999", "missing_name", 1)
    (summary, fields), (_, newest) = lines.lines[LINES:]
    assert (summary, fields["samples"]) == ("more samples were refused than are logged", 10_000 - LINES)
    assert newest["tenant"] == "tenant-9999"


def test_labels_are_few_and_are_never_taken_back() -> None:
    labels = TenantLabels(4)
    assert [labels.of(f"t{n}", 1, n + 1) for n in range(2)] == ["t0", "t1"]
    assert [labels.of(f"t{n}", 1, 1000) for n in range(2, 500)] == [OTHERS] * 498
    assert labels.of("large", 300, 1000) == "large"
    assert labels.of("huge", 600, 1000) == "huge"
    assert labels.of("larger yet", 990, 1000) == OTHERS
    assert [labels.of(tenant, 1, 10**9) for tenant in ("t0", "t1", "large", "huge")] == ["t0", "t1", "large", "huge"]
