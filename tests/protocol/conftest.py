from collections.abc import Iterator

import pytest

from tests.e2e.forebay import ForebayServer

SETTINGS = {"segment": {"interval": "2s", "grace": "100ms"}, "self_metrics": {"enabled": False}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForebayServer]:
    with ForebayServer(tmp_path_factory.mktemp("protocol"), SETTINGS) as server:
        server.ready()
        yield server
        assert "Traceback" not in server.log.read_text()
        assert server.stop() == 0
