"""Every kind of data over either protocol, against a real process: what was accepted is found bit for bit."""

from dataclasses import dataclass

import pytest

from tests.e2e.forebay import ForebayServer
from tests.e2e.samples import Samples, load
from tests.faults.client import now_ms, until
from tests.protocol.entry import V1, V2, Series
from tests.protocol.kinds import all_kinds
from tests.protocol.sender import Answer, send
from tests.protocol.stored import entries, expanded, records, remote_read
from tests.wire.labels_oracle import label_fields
from tests.wire.messages import Histogram, Sample, TimeSeries, WriteRequest

PROTOCOLS = {"1.0": V1, "2.0": V2}
CASES = [(name, kind) for name, protocol in PROTOCOLS.items() for kind in all_kinds("", protocol, 10**12)]


@dataclass
class Sent:
    """One tenant's, with what was found of it."""

    series: dict[str, Series]
    answers: dict[str, Answer]
    log: list[bytes]
    head: Samples
    blocks: Samples
    read: Samples


def expected(series: Series) -> Samples:
    labels = tuple(series.labels)
    found: Samples = {}
    for data in series.samples:
        found[labels, Sample.FromString(data).timestamp] = [int.from_bytes(data[1:9], "little")]
    for data in series.histograms:
        found[labels, Histogram.FromString(data).timestamp] = [expanded(data)]
    return found


@pytest.fixture(scope="module")
def sent(server: ForebayServer) -> dict[str, Sent]:
    """By protocol: a request for each kind, read while it is fresh and once it is in blocks."""
    found = {}
    for name, protocol in PROTOCOLS.items():
        tenant = f"over-{name}"
        series = all_kinds(tenant, protocol, now_ms() - 60_000)
        answers = {kind: send(server.url, protocol, each, tenant=tenant) for kind, each in series.items()}
        count = sum(len(expected(each)) for each in series.values())
        head = until(lambda: len(read := remote_read(server, tenant)) == count and read, "all is read")  # noqa: B023 - called at once
        found[name] = Sent(series, answers, records(server, tenant), head, {}, {})
    server.wait_published()
    for name, each in found.items():
        each.blocks, each.read = load(server.bucket), remote_read(server, f"over-{name}")
    return found


@pytest.mark.parametrize(("protocol", "kind"), CASES)
def test_all_of_it_is_accepted_and_counted(sent: dict[str, Sent], protocol: str, kind: str) -> None:
    answer, series = sent[protocol].answers[kind], sent[protocol].series[kind]
    assert answer == (204, "", series.counts if protocol == "2.0" else None)


@pytest.mark.parametrize(("protocol", "kind"), CASES)
def test_the_log_holds_every_element_as_it_was_sent(sent: dict[str, Sent], protocol: str, kind: str) -> None:
    """Start timestamps, exemplars and NaN payloads too."""
    series = sent[protocol].series[kind]
    (value,) = (value for value in sent[protocol].log if label_fields(series.labels) in value)
    assert entries(value) == [TimeSeries.FromString(series.record()).SerializeToString()]


@pytest.mark.parametrize(("protocol", "kind"), CASES)
def test_reads_and_blocks_hold_it_bit_for_bit(sent: dict[str, Sent], protocol: str, kind: str) -> None:
    found, series = sent[protocol], sent[protocol].series[kind]
    for samples in (found.head, found.read, found.blocks):
        assert {key: value for key, value in samples.items() if key[0] == tuple(series.labels)} == expected(series)


def test_metadata_is_in_the_log_whatever_it_came_by(sent: dict[str, Sent]) -> None:
    for each in sent.values():
        said = each.series["metadata"].said
        assert said is not None
        found = [list(WriteRequest.FromString(value).metadata) for value in each.log]
        assert [one.SerializeToString() for metadata in found for one in metadata] == [said.encode()]
