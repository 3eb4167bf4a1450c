"""A short slice of `make elastic`."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bucket.s3_servers import versitygw_server
from tests.elastic.changes import moves
from tests.elastic.picture import picture
from tests.elastic.report import changes_table, signals_table, totals_table
from tests.elastic.run import Plan, run
from tests.elastic.senders import Load
from tests.elastic.servers import Servers
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe


@pytest.mark.slow
def test_consumers_come_and_go_and_no_request_fails(
    kafka: KafkaBroker, peer: Callable[[str], Recipe], tmp_path: Path
) -> None:
    with versitygw_server(peer("versitygw"), tmp_path / "s3") as s3:
        servers = Servers(kafka, s3, tmp_path / "s3" / "buckets")
        place = servers.place(8, "5s", "6s")
        load = Load(series=400, interval=1.0, samples_per_request=100)
        plan = Plan((1, 2, 1), hold=3, senders=2, load=load, partitions=8)
        result = run(plan, tmp_path / "run", place)
    assert result.failures == []
    assert result.problems == []
    assert result.acknowledged == result.stored > 4000
    grown, shrunk = result.changes
    assert len(moves(result.holdings, grown.at, shrunk.at)) == 4
    assert len(moves(result.holdings, shrunk.at, result.end)) == 4
    ET.fromstring(picture(result))
    assert len(totals_table([result]).splitlines()) == 3
    assert len(changes_table([result]).splitlines()) == 4
    assert len(signals_table(result).splitlines()) == 5
