"""A trial of limits says what a gateway with these limits does."""

import random
from collections import Counter

import pytest
import snappy

from forebay.clock import ManualClock
from forebay.units import Duration, Size
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.tenant_labels import OTHERS
from gateway.trial import Trial
from gateway.trial_report import TrialReport, add_up
from tests.gateway.conftest import MakeGateway
from tests.gateway.requests import NOW_MS, message
from tests.wire.messages import WriteRequest

WIDE = {"__name__": "wide", "a": "1", "b": "2"}


def make_trial(limits: LimitSettings, overrides: dict[str, LimitSettings] | None = None, **given: int) -> Trial:
    return Trial(Policies(limits, HaSettings(), 4, overrides), 4, NOW_MS, **given)


def up(count: int) -> bytes:
    return message(*(({"__name__": "up", "n": str(n)}, [(NOW_MS, 1.0)]) for n in range(count)))


def refused(report: TrialReport) -> dict[str, dict[str, int]]:
    return {each.report.tenant: {row.reason: row.samples for row in each.report.reasons} for each in report.tenants}


def test_who_is_cut_by_what_and_how_much() -> None:
    trial = make_trial(LimitSettings(), {"team-a": LimitSettings(max_label_pairs=2)})
    body = message((WIDE, [(NOW_MS, 1.0), (NOW_MS + 1, 1.0)]), ({"__name__": "up"}, [(NOW_MS, 1.0)]))
    for tenant in ("team-a", "team-b", "team-a"):
        trial.judge(tenant, body, NOW_MS)
    report = trial.report()
    a, b = report.tenants
    assert refused(report) == {"team-a": {"too_many_labels": 4}, "team-b": {}}
    assert (a.requests, a.samples, a.share, a.is_cut) == (2, 6, 4 / 6, True)
    assert (b.requests, b.samples, b.share, b.is_cut) == (1, 3, 0.0, False)
    assert "wide" in a.report.reasons[0].examples[0].series
    assert [each.report.tenant for each in report.cut] == ["team-a"]
    assert (report.requests, report.samples, report.refused) == (3, 9, 4)


def any_request(choose: random.Random) -> bytes:
    """Series with labels of all lengths, some of them empty or out of order, with samples, histograms and exemplars."""
    request = WriteRequest()
    for number in range(choose.randint(1, 20)):
        entry = request.timeseries.add()
        labels = {"__name__": "m", "n": str(number)}
        labels |= {"l" * choose.randint(1, 12): "v" * choose.randint(0, 12) for _ in range(choose.randint(0, 6))}
        for name, text in choose.sample(list(labels.items()), len(labels)):
            entry.labels.add(name=name.encode(), value=text.encode())
        for _ in range(choose.randint(1, 3)):
            at = NOW_MS - choose.choice([0, 0, 7_200_000])
            kind = choose.randint(0, 2)
            if kind == 0:
                entry.samples.add(timestamp=at, value=1.0)
            elif kind == 1:
                buckets = choose.randint(1, 8)
                spans, deltas = [{"offset": 0, "length": buckets}], [1] + [0] * (buckets - 1)
                entry.histograms.add(
                    timestamp=at, count_int=buckets, sum=1.0, positive_spans=spans, positive_deltas=deltas
                )
            else:
                entry.exemplars.add(timestamp=at, value=1.0)
    encoded: bytes = request.SerializeToString()
    return encoded


@pytest.mark.parametrize("seed", range(40))
def test_a_records_trial_is_what_the_requests_would_have_been(seed: int) -> None:
    """What passed a gateway without limits, judged record by record, against the requests as they came."""
    choose = random.Random(seed)
    limits = LimitSettings(
        max_age=Duration(3_600_000),
        max_label_pairs=choose.randint(2, 6),
        max_label_name_bytes=choose.randint(8, 12),
        max_label_value_bytes=choose.randint(4, 12),
        max_histogram_buckets=choose.randint(1, 8),
    )
    free = Policies(LimitSettings(), HaSettings(), 4).of("a", 4)
    strict = Policies(limits, HaSettings(), 4).of("a", 4)
    trial, expected, samples = make_trial(limits), Counter[str](), 0
    for _ in range(10):
        request = any_request(choose)
        routed = free.route(request, NOW_MS)
        assert routed.rejected == {}
        samples += routed.samples + routed.histograms
        for _, value in routed.records:
            trial.judge("a", value, NOW_MS)
        expected.update(strict.route(request, NOW_MS).rejected)
    report = trial.report()
    assert refused(report) == {"a": dict(expected)}
    assert report.samples >= samples


def test_times_are_judged_by_when_it_came() -> None:
    trial = make_trial(LimitSettings())
    day = 86_400_000
    for days in (0, 7, 8):
        trial.judge("a", up(1), NOW_MS + days * day)
    assert refused(trial.report()) == {"a": {"out_of_bounds_past": 1}}


def test_what_is_no_request_is_counted() -> None:
    trial = make_trial(LimitSettings())
    trial.judge("a", b"\x0a\xff", NOW_MS)
    trial.judge("a", up(1), NOW_MS)
    report = trial.report()
    assert (report.undecodable, report.requests) == (1, 1)


async def test_rates_are_those_of_a_gateway(make_gateway: MakeGateway, clock: ManualClock) -> None:
    limits = LimitSettings(samples_per_second=10, samples_burst=20)
    gateway, trial = await make_gateway(limits=limits), make_trial(limits)
    statuses = []
    for size, wait in ((15, 0), (15, 0), (1, 0.5), (1, 0.8), (1, 0), (500, 3), (1, 1), (1, 60), (1, 0)):
        clock.advance(wait)
        trial.judge("default-tenant", up(size), clock.now_ms())
        statuses.append((await gateway.write(snappy.compress(up(size))))[0])
    assert statuses == [204, 204, 429, 204, 204, 204, 429, 204, 204]
    (row,) = trial.report().tenants[0].report.reasons
    assert (row.reason, row.requests) == ("rate_limited", statuses.count(429))
    assert row.samples == sum(
        size for size, status in zip((15, 15, 1, 1, 1, 500, 1, 1, 1), statuses, strict=True) if status == 429
    )


def test_series_that_are_new_beyond_the_active_ones_are_refused() -> None:
    trial = make_trial(LimitSettings(max_active_series=2), active_window_ms=20 * 60_000)
    trial.judge("a", up(3), NOW_MS)
    trial.judge("a", up(3), NOW_MS + 1000)
    assert refused(trial.report()) == {"a": {"active_series": 2}}
    hour = 3_600_000
    later = message(*(({"__name__": "later", "n": str(n)}, [(NOW_MS + hour, 1.0)]) for n in range(2)))
    trial.judge("a", later, NOW_MS + hour)
    assert refused(trial.report()) == {"a": {"active_series": 2}}


def test_shadow_is_counted_apart_and_cuts_nobody() -> None:
    shadow = ("samples_per_second", "max_request_bytes")
    limits = LimitSettings(samples_per_second=1, samples_burst=1, max_request_bytes=Size(100), shadow=shadow)
    trial = make_trial(limits)
    for _ in range(3):
        trial.judge("a", up(5), NOW_MS, received_bytes=200)
    (tenant,) = trial.report().tenants
    found = {row.reason: (row.samples, row.shadow_samples) for row in tenant.report.reasons}
    assert found == {"rate_limited": (0, 10), "request_too_large": (0, 15)}
    assert not tenant.is_cut


def test_a_body_that_is_too_large_is_refused_whole() -> None:
    trial = make_trial(LimitSettings(max_request_bytes=Size(100)))
    trial.judge("a", up(5), NOW_MS, received_bytes=101)
    trial.judge("a", up(5), NOW_MS, received_bytes=100)
    assert refused(trial.report()) == {"a": {"request_too_large": 5}}


def test_times_that_go_back_fill_no_bucket() -> None:
    trial = make_trial(LimitSettings(samples_per_second=1, samples_burst=1))
    for seconds in (0, 5, 0, 5, 0, 5):
        trial.judge("a", up(5), NOW_MS + seconds * 1000)
    assert refused(trial.report()) == {"a": {"rate_limited": 20}}


def test_of_too_many_tenants_the_rest_is_counted_together() -> None:
    trial = make_trial(LimitSettings(max_label_pairs=1), max_tenants=3)
    for n in range(10):
        trial.judge(f"t{n}", up(1), NOW_MS)
    found = {each.report.tenant: (each.samples, each.report.samples) for each in trial.report().tenants}
    assert found == {"t0": (1, 1), "t1": (1, 1), "t2": (1, 1), OTHERS: (7, 7)}


def test_trials_of_several_gateways_add_up() -> None:
    trials = [make_trial(LimitSettings(max_label_pairs=2)) for _ in range(2)]
    for trial, counts in zip(trials, ((1, 2), (3, 0)), strict=True):
        for tenant, count in zip("ab", counts, strict=True):
            for _ in range(count):
                trial.judge(tenant, message((WIDE, [(NOW_MS, 1.0)])), NOW_MS)
    trials[0].judge("c", up(1), NOW_MS)
    trials[1].judge("c", b"\x0a\xff", NOW_MS)
    report = add_up(trial.report() for trial in trials)
    assert [(each.report.tenant, each.samples, each.report.samples) for each in report.tenants] == [
        ("a", 4, 4),
        ("b", 2, 2),
        ("c", 1, 0),
    ]
    assert report.undecodable == 1
