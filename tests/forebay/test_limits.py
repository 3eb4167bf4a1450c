"""`forebay limits test` over a log that a gateway wrote: it says exactly what one with these limits refuses."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.replay_range import Offset
from forebay.limits_log import LogRange, not_judged, resolve, try_on_log
from forebay.limits_text import render
from forebay.units import Size
from gateway.limits import LimitSettings
from gateway.trial_report import TrialReport
from tests.consumers.head_oracle import Entry, named, record
from tests.consumers.memory_log import MemoryLog, MemoryReader
from tests.consumers.records_v2 import of_version_2
from tests.consumers.rehearsal import START
from tests.forebay.server import Role, run
from tests.forebay.test_rejections import write
from wire.hashing import tenant_seed

TENANTS = ("team-a", "team-b", "team-c", "team-d")
PROPOSED = {
    "team-a": {"max_label_pairs": 3},
    "team-b": {"max_label_pairs": 5, "max_age": "1h", "max_label_value_bytes": 50, "shadow": ["max_label_value_bytes"]},
    "team-c": {"max_label_value_bytes": 50, "max_label_name_bytes": 9},
}


def requests(seed: int) -> Iterator[tuple[str, list[tuple[dict[str, str], list[tuple[int, float]]]]]]:
    """Of some series with few labels and some with many, of times that are old and new; sent in this order."""
    choose = random.Random(seed)
    now = int(time.time() * 1000)
    for number in range(40):
        series = []
        for each in range(choose.randint(1, 30)):
            labels = {"__name__": f"m{each}", "request": str(number)}
            labels |= {f"label_{'y' * n}": "x" * choose.randint(1, 60) for n in range(choose.randint(0, 6))}
            age = choose.choice([0, 0, 0, 7_200_000])
            series.append((labels, [(now - age + n, 1.0) for n in range(choose.randint(1, 4))]))
        yield choose.choice(TENANTS), series


@pytest.fixture(scope="module")
def sent() -> list[tuple[str, list[tuple[dict[str, str], list[tuple[int, float]]]]]]:
    return list(requests(5))


@pytest.fixture(scope="module")
def written(sent: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a gateway that had no limits."""
    with Role("gateway", tmp_path_factory.mktemp("written")) as gateway:
        gateway.ready()
        for tenant, series in sent:
            assert write(gateway, *series, tenant=tenant) == 204
        assert gateway.stop() == 0
        return gateway.data


def limits_test(data: Path, proposed: dict[str, Any], *flags: str) -> subprocess.CompletedProcess[str]:
    file = data.parent / "proposed.yaml"
    file.write_text(json.dumps({"tenants": proposed}))
    return run("limits", "test", f"--data.dir={data}", f"--limits.file={file}", *flags)


def found(result: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(result.stdout)


def by_reason(tenants: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {
        each["tenant"]: {row["reason"]: row["samples"] + row["shadow_samples"] for row in each["reasons"]}
        for each in tenants
        if each["reasons"]
    }


def test_it_says_what_a_gateway_with_these_limits_refuses(sent: Any, written: Path, tmp_path: Path) -> None:
    result = limits_test(written, PROPOSED, "--json")
    assert result.returncode == 1, result.stderr
    said = found(result)
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text(json.dumps({"tenants": PROPOSED}))
    with Role("gateway", tmp_path, {"overrides_file": str(overrides)}) as gateway:
        gateway.ready()
        statuses = {write(gateway, *series, tenant=tenant) for tenant, series in sent}
        assert statuses == {204, 400}
        _, answer = gateway.get("/api/v1/tenant/rejections?tenant=*")
        assert gateway.stop() == 0
    tenants = {each["tenant"]: each for each in json.loads(answer)["data"]["tenants"]}
    refused = by_reason(list(tenants.values()))
    assert set(refused) == set(PROPOSED)
    assert set(refused["team-b"]) == {"too_many_labels", "out_of_bounds_past", "label_value_too_long"}
    assert set(refused["team-c"]) == {"label_value_too_long", "label_name_too_long"}
    (shadow,) = (row for row in tenants["team-b"]["reasons"] if row["reason"] == "label_value_too_long")
    assert (shadow["samples"], shadow["shadow_samples"] > 0) == (0, True)
    assert by_reason(said["tenants"]) == refused
    assert said["samples"] == sum(len(samples) for _, series in sent for _, samples in series)
    assert (said["refused"], said["tenants_cut"]) == (sum(each["samples"] for each in tenants.values()), 3)


def test_limits_that_cut_nobody_are_0(written: Path) -> None:
    result = limits_test(written, {"team-a": {"max_label_pairs": 20}})
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("nobody would be cut: ")


def test_the_tables_name_tenants_reasons_and_the_limit(written: Path) -> None:
    result = limits_test(written, PROPOSED)
    assert result.returncode == 1
    assert "max_label_pairs=3" in result.stdout
    assert "series={" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("3 of 4 tenants would be cut: ")


def test_a_rate_is_judged_by_append_time(written: Path) -> None:
    """All was written in a second or two, so nearly everything is above a slow rate, and nothing above a fast one."""
    slow = found(limits_test(written, {"team-c": {"samples_per_second": 0.001, "samples_burst": 1}}, "--json"))
    (tenant,) = (each for each in slow["tenants"] if each["tenant"] == "team-c")
    (reason,) = tenant["reasons"]
    assert (reason["reason"], reason["requests"]) == ("rate_limited", tenant["requests"] - 1)
    assert tenant["share"] > 0.8
    fast = {"samples_per_second": 1, "samples_burst": 1_000_000}
    assert limits_test(written, {"team-c": fast}).returncode == 0


def test_a_range_is_less_than_all(written: Path) -> None:
    everything = found(limits_test(written, PROPOSED, "--json"))
    parts = [
        found(limits_test(written, PROPOSED, "--json", *flags))
        for flags in (["--partition=0", "--partition=3"], ["--partition=1", "--partition=2"])
    ]
    assert sum(each["refused"] for each in parts) == everything["refused"]
    cut = limits_test(written, PROPOSED, "--json", "--partition=1", "--from=2", "--to=5")
    assert found(cut)["requests"] == 3
    assert limits_test(written, PROPOSED, "--from=2100-01-01T00:00:00Z").returncode == 0


@pytest.mark.parametrize(
    ("flags", "proposed", "code", "says"),
    [
        (["--from=yesterday"], {}, 2, "neither an offset nor a time"),
        (["--from=5"], {}, 2, "--partition=N"),
        (["--partition=9"], {}, 2, "no such partition"),
        ([], {"team-a": {"max_labels": 3}}, 2, "max_labels"),
        ([], {"../up": {}}, 2, "not a tenant id"),
    ],
)
def test_what_cannot_be_asked_is_2(
    written: Path, flags: list[str], proposed: dict[str, Any], code: int, says: str
) -> None:
    result = limits_test(written, proposed, *flags)
    assert (result.returncode, result.stdout) == (code, "")
    assert says in result.stderr


def test_a_log_that_is_not_there_is_3(tmp_path: Path) -> None:
    result = limits_test(tmp_path / "data", {})
    assert (result.returncode, "there is no log yet" in result.stderr) == (3, True)


def test_limits_of_whole_requests_are_named_as_not_judged(written: Path) -> None:
    result = limits_test(written, {"team-a": {"max_request_bytes": "1B"}})
    assert result.returncode == 0
    assert "note: not judged, since a record of the log is not a whole request: max_request_bytes" in result.stdout
    assert not_judged(LimitSettings(max_request_bytes=Size(5))) == ["max_request_bytes"]


def test_nothing_at_all_is_said() -> None:
    assert render(TrialReport(()), lambda _: LimitSettings()) == "nothing was judged: there was nothing to look at\n"


def test_every_partition_is_read_unless_some_are_named() -> None:
    class Log:
        log_id, partitions = "log", 3

        def start_offset(self, partition: int) -> int:
            return 10 * partition

        def end_offset(self, partition: int) -> int:
            return 10 * partition + (5 if partition else 0)

    log: Any = Log()
    assert [span[1:] for span in resolve(LogRange(), log)] == [(1, 10, 15), (2, 20, 25)]
    assert [span[1:] for span in resolve(LogRange((2, 0)), log)] == [(2, 20, 25)]


def test_records_of_both_versions_are_judged_alike() -> None:
    """A range that begins behind the labels that its records rely on."""
    entries = [Entry(named(job=f"j{number}"), [(START, number)]) for number in range(4)]
    reports = []
    for version in (1, 2):
        log = MemoryLog()
        for number in range(10):
            value = record(entries)
            if version == 2:
                value = of_version_2(*([], [], entries) if number else [entries], seed=tenant_seed(b"t"))
            log.append(0, value, START + number, tenant=b"t", version=version)
        log.append(0, b"\xff", START + 10, tenant=b"t", version=version)
        reader = MemoryReader(log)
        limits = LimitSettings(max_active_series=3)
        spans = resolve(LogRange((0,), Offset(4)), reader)
        reports.append(try_on_log(reader, spans, limits, {}, advance=lambda _: None, active_window_ms=60_000))
    assert reports[0] == reports[1]
    assert reports[0].undecodable == 1
    assert sum(tenant.samples for tenant in reports[0].tenants) == 24
