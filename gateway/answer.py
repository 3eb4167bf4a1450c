"""What a sender reads in its log about the samples that were refused."""

from gateway.limits import LimitSettings
from gateway.reasons import advice
from wire.write_request import Routed


def rejections(routed: Routed, limits: LimitSettings) -> str:
    """One line of counts by reason, most first, a line for each example, and one for each limit that was met.

    What rules have dropped is not refused: it is said here because what is left would not add up without it.
    """
    refused = sum(routed.rejected.values())
    stored = routed.samples + routed.histograms
    reasons = sorted(routed.rejected.items(), key=lambda item: (-item[1], item[0]))
    dropped = f", {routed.dropped} dropped by relabel rules" if routed.dropped else ""
    lines = [f"{refused} of {refused + stored + routed.dropped} samples refused, {stored or 'none'} stored{dropped}: "]
    lines[0] += ", ".join(f"{reason}={count}" for reason, count in reasons)
    lines += [
        f"{each.reason} series={each.series}" + ("" if each.timestamp is None else f" timestamp={each.timestamp}")
        for each in routed.examples
    ]
    for reason, _ in reasons:
        setting, remedy = advice(reason)
        if setting:
            lines.append(f"hint: {reason}: limits.{setting}={getattr(limits, setting)}; {remedy}")
    return "\n".join(lines) + "\n"
