"""Short slices of the benches: that they work, and what must hold on any machine."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import snappy
import uvloop

from bench import neighbour, overload
from bench.load import Load
from bench.marked import MARK, Marked
from tests.peers.recipes import Recipe
from tests.wire.messages import WriteRequest

SMALL = Load(2_000, 1, 500)


def test_marked_requests_are_whole_and_can_be_told_apart() -> None:
    marked = Marked(Load(300, 2, 100))
    for expected in range(8):
        number, body = next(marked)
        data = snappy.decompress(body)
        request = WriteRequest()
        request.ParseFromString(data)
        assert len(request.timeseries) == marked.samples_per_request == 101
        assert [int(found) for found in MARK.findall(data)] == [number] == [expected]


@pytest.mark.slow
@pytest.mark.peer("kafka-4.1")
def test_under_three_times_its_load_a_gateway_keeps_its_promises(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    peer("kafka-4.1")
    result = uvloop.run(overload.measure(tmp_path, SMALL, settle=3, minutes=0.05))
    assert overload.problems(result) == []
    assert result.over.statuses()[503] > 0
    assert "acknowledged and not in the log: 0" in overload.table(result)
    assert "nan" not in overload.stages(result)
    assert ET.fromstring(overload.chart(result)).tag.endswith("svg")


@pytest.mark.slow
@pytest.mark.peer("kafka-4.1")
def test_a_tenant_beyond_its_limit_is_held_to_it_and_the_other_served(
    peer: Callable[[str], Recipe], tmp_path: Path
) -> None:
    peer("kafka-4.1")
    result = uvloop.run(neighbour.measure(tmp_path, SMALL, seconds=3, rounds=1, allowed_share=0.25))
    assert neighbour.problems(result) == []
    assert result.rounds[0].wild[0].acknowledged() > 0
    assert "ratio, median of rounds" in neighbour.table(result)
