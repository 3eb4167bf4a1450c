from collections.abc import Callable, Iterator

import pytest

from tests.bucket.s3_servers import S3Server, minio_server, moto_server, versitygw_server
from tests.peers.recipes import Recipe

pytest.register_assert_rewrite("tests.bucket.contract")


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def versitygw(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path_factory.mktemp("versitygw") / "peer") as server:
        yield server


@pytest.fixture(scope="session")
def minio(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with minio_server(peer("minio"), tmp_path_factory.mktemp("minio") / "peer") as server:
        yield server


@pytest.fixture(params=["moto", "versitygw", "minio"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each real server in turn."""
    found: S3Server = request.getfixturevalue(request.param)
    return found
