"""What is wrong, and what to do about it: from what was found alone."""

from collections.abc import Iterator

from forebay.status_consumers import Answer
from forebay.status_report import PartitionReport, Problem
from forebay.units import rough


def problems_of_partition(row: PartitionReport, late_seconds: float, group: str, *, grouped: bool) -> Iterator[Problem]:
    """`grouped`: the group could be asked, so that no owner means that there is none."""
    where = f"partition {row.partition}"
    oldest = rough(round(row.unpublished_seconds * 1000))
    if row.published is not None and row.end_offset < row.published:
        yield Problem(
            where,
            f"log ends before what is published: end_offset={row.end_offset} published={row.published}",
            "this is an older copy of the log: put the newest back, or move it away and start a new log",
        )
    if row.published is not None and row.start_offset > row.published:
        yield Problem(
            where,
            f"log has let records go that were not published: from={row.published} to={row.start_offset}",
            "raise the log's retention; the next manifest will name them as lost, and so will forebay audit",
        )
    if row.unpublished and grouped and row.owner is None:
        yield Problem(
            where,
            f"no consumer has it, and records wait: records={row.unpublished} oldest={oldest}",
            f"start a consumer of this group: consumer.group={group}",
        )
    elif row.unpublished_seconds > late_seconds:
        yield Problem(
            where,
            f"records wait longer than segments take: records={row.unpublished} oldest={oldest} owner={row.owner}",
            "/-/ready of its consumer says why, or forebay status --url=http://CONSUMER:9203",
        )
    if row.failing:
        yield Problem(where, row.failing, "")


def problems_of_consumer(answer: Answer, log_id: str) -> Iterator[Problem]:
    """Of one that was asked."""
    report = answer.report
    if report.problem:
        yield Problem(report.url, f"no answer: {report.problem}", "is it running, and is this where it listens?")
    elif answer.log_id not in {None, log_id}:
        yield Problem(
            report.url, f"it reads another log: log_id={answer.log_id}", "compare its broker section with this one"
        )
    for objection in report.objections:
        yield Problem(report.url, f"not ready: {objection}", "")
