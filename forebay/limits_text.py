"""What a trial of limits found, for people and for scripts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from forebay.columns import columns, printable
from gateway.limits import LimitSettings
from gateway.reasons import advice
from gateway.trial_report import TrialReport, TrialTenant

_TENANT_HEADS = ("tenant", "samples", "refused", "share", "in shadow", "dropped")
_REASON_HEADS = ("tenant", "reason", "samples", "share", "in shadow", "limit", "to be changed")
_TENANTS_SHOWN = 50

LimitsOf = Callable[[str], LimitSettings]


def render(report: TrialReport, limits_of: LimitsOf, notes: Sequence[str] = ()) -> str:
    """A row for each tenant that is touched, one for each of its reasons, examples, and the verdict last."""
    touched = [each for each in report.tenants if each.report.reasons or each.dropped]
    text = ""
    if touched:
        shown = touched[:_TENANTS_SHOWN]
        text += columns(_TENANT_HEADS, [_tenant_cells(each) for each in shown])
        if len(touched) > len(shown):
            text += f"and {len(touched) - len(shown)} tenants more, which --json lists\n"
        reasons = [row for each in shown for row in _reason_rows(each, limits_of(each.report.tenant))]
        if reasons:
            text += "\n" + columns(_REASON_HEADS, reasons)
        text += "".join(_examples(shown))
    text += "".join(f"note: {note}\n" for note in notes)
    return f"{text}\n{_verdict(report)}\n" if text else f"{_verdict(report)}\n"


def document(report: TrialReport, limits_of: LimitsOf, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The same, and every tenant, as plain values."""
    return {
        "ok": not report.cut,
        "tenants_cut": len(report.cut),
        "requests": report.requests,
        "samples": report.samples,
        "refused": report.refused,
        "undecodable": report.undecodable,
        "skipped": report.skipped,
        "notes": list(notes),
        "tenants": [_document(each, limits_of(each.report.tenant)) for each in report.tenants],
    }


def _tenant_cells(each: TrialTenant) -> tuple[object, ...]:
    report = each.report
    name = printable(report.tenant)
    return name, each.samples, report.samples, _share(each.share), report.shadow_samples, each.dropped


def _reason_rows(each: TrialTenant, limits: LimitSettings) -> Iterator[tuple[object, ...]]:
    for row in sorted(each.report.reasons, key=lambda row: -row.samples):
        setting, remedy = advice(row.reason)
        share = _share(row.samples / each.samples if each.samples else 0.0)
        limit = f"{setting}={_limit(limits, setting)}" if setting else "-"
        yield printable(each.report.tenant), row.reason, row.samples, share, row.shadow_samples, limit, remedy or "-"


def _examples(tenants: Sequence[TrialTenant]) -> Iterator[str]:
    found = [
        f"{printable(each.report.tenant)} {row.reason} series={printable(example.series)}\n"
        for each in tenants
        for row in each.report.reasons
        for example in row.examples[:2]
    ]
    if found:
        yield "\nexamples:\n"
        yield from found


def _verdict(report: TrialReport) -> str:
    total, cut = len(report.tenants), len(report.cut)
    judged = f"{report.samples} samples of {total} {'tenant' if total == 1 else 'tenants'}"
    if not report.requests:
        text = "nothing was judged: there was nothing to look at"
    elif cut:
        text = f"{cut} of {total} tenants would be cut: {report.refused} of {judged}, {_share_of(report)}, refused"
    else:
        text = f"nobody would be cut: {judged} judged"
    text += f"; {report.undecodable} records cannot be decoded" if report.undecodable else ""
    return text + (f"; {report.skipped} requests were not judged, for want of time" if report.skipped else "")


def _document(each: TrialTenant, limits: LimitSettings) -> dict[str, Any]:
    reasons = []
    for row in each.report.reasons:
        setting, remedy = advice(row.reason)
        limit = _limit(limits, setting) if setting else None
        found: dict[str, Any] = msgspec.to_builtins(row)
        del found["stage"]
        reasons.append(found | {"setting": setting, "limit": limit, "remedy": remedy})
    return {
        "tenant": each.report.tenant,
        "requests": each.requests,
        "samples": each.samples,
        "refused": each.report.samples,
        "share": each.share,
        "shadow_samples": each.report.shadow_samples,
        "dropped": each.dropped,
        "reasons": reasons,
    }


def _limit(limits: LimitSettings, setting: str) -> str:
    return str(getattr(limits, setting, ""))


def _share_of(report: TrialReport) -> str:
    return _share(report.refused / report.samples if report.samples else 0.0)


def _share(share: float) -> str:
    return "<0.1%" if 0 < share < 0.001 else f"{100 * share:.1f}%"
