"""What one Prometheus scrape sees of several processes."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from forebay.metrics_view import View, counted, merge, snapshot


class Figures:
    def __init__(self, number: int) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        requests = Counter("requests_total", "Requests.", ["code"], registry=self.registry)
        requests.labels("204").inc(10 * number)
        requests.labels(f"50{number}").inc(number)
        Histogram("seconds", "Seconds.", buckets=(1, 2), registry=self.registry).observe(number)
        Gauge("bytes", "Bytes.", registry=self.registry).set(100 * number)
        Gauge("forebay_gateway_partitions", "Partitions.", registry=self.registry).set(4)
        Gauge("last_reload_successful", "Whether.", ["config"], registry=self.registry).labels("x").set(number - 1)
        Gauge("process_start_time_seconds", "When.", registry=self.registry).set(1000 + number)
        Info("build", "Build.", registry=self.registry).info({"version": "1"})


def seen(*figures: Figures) -> CollectorRegistry:
    return View(merge(snapshot(each.registry) for each in figures)).registry()


def test_counters_histograms_and_amounts_are_summed_and_what_has_no_sum_is_not() -> None:
    both = seen(Figures(1), Figures(2))
    expected = {
        ("requests_total", "204"): 30,
        ("requests_total", "501"): 1,
        ("requests_total", "502"): 2,
    }
    assert {(name, code): both.get_sample_value(name, {"code": code}) for name, code in expected} == expected
    assert [both.get_sample_value("seconds_bucket", {"le": le}) for le in ("1.0", "2.0", "+Inf")] == [1, 2, 2]
    assert both.get_sample_value("seconds_sum") == 3
    assert both.get_sample_value("seconds_count") == 2
    assert both.get_sample_value("bytes") == 300
    assert both.get_sample_value("forebay_gateway_partitions") == 4
    assert both.get_sample_value("last_reload_successful", {"config": "x"}) == 0
    assert both.get_sample_value("process_start_time_seconds") == 1001
    assert both.get_sample_value("build_info", {"version": "1"}) == 1


def test_one_process_looks_as_it_does_alone() -> None:
    one = Figures(1)
    assert generate_latest(seen(one)) == generate_latest(one.registry)


def test_of_a_process_that_ended_all_that_was_counted_stays_and_nothing_else() -> None:
    left = counted(snapshot(Figures(2).registry))
    both = View(merge([left, snapshot(Figures(1).registry)])).registry()
    assert both.get_sample_value("requests_total", {"code": "204"}) == 30
    assert both.get_sample_value("seconds_count") == 2
    assert both.get_sample_value("bytes") == 100


def test_merging_changes_nothing_that_it_was_given() -> None:
    first = snapshot(Figures(1).registry)
    before = repr(first)
    merge([first, first])
    assert repr(first) == before
