from collections.abc import Callable, Iterator

import pytest

from bucket.s3 import S3Bucket
from tests.bucket.contract import BucketContract
from tests.bucket.s3_servers import S3Server, moto_server, versitygw_server
from tests.peers.recipes import Recipe


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="module")
def versitygw(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path_factory.mktemp("versitygw")) as server:
        yield server


@pytest.fixture(params=["moto", "versitygw"])
def server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bucket(server: S3Server) -> Iterator[S3Bucket]:
    opened = server.open(server.make_bucket())
    yield opened
    opened.close()


class TestS3Bucket(BucketContract):
    every_write_is_a_version = False
