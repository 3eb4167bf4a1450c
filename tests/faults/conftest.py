"""One server for each module of hostile requests; none gets away with more memory than its bound."""

import resource
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.forebay import ForebayServer
from tests.faults.client import assert_kept
from tests.faults.watched import ALLOWED, MIB, Watched


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    settings = {
        "segment": {"interval": "2s", "grace": "100ms"},
        "gateway": {"body_timeout": "1s"},
        "query": {"body_timeout": "1s"},
        "web": {"header_timeout": "1s", "max_connections": 64},
        "self_metrics": {"enabled": False},
    }
    with ForebayServer(tmp_path_factory.mktemp("hostile"), settings) as server:
        # What is not bounded must fail the test, not the machine.
        resource.prlimit(server.pid, resource.RLIMIT_AS, (4 << 30, 4 << 30))
        server.ready()
        watched = Watched(server)
        watched.assert_well()
        watched.baseline = watched.resident("VmRSS")
        yield watched
        server.wait_published()
        assert_kept(server.bucket, watched.good)
        assert "Traceback" not in server.log.read_text()
        assert server.stop() == 0


@pytest.fixture
def peak(
    watched: Watched, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[None]:
    """Whatever the test does: memory stays within the bound (bytes; the parameter), and the service goes on."""
    watched.forget_peak()
    yield
    grown = watched.resident("VmHWM") - watched.baseline
    record_property("peak_mib_over_baseline", round(grown / MIB, 1))
    assert grown < getattr(request, "param", ALLOWED)
    watched.assert_well()
