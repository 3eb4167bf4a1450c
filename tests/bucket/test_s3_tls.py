"""Real S3 servers behind TLS, with an authority that nobody knows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bucket.bucket import BucketMisconfigured, BucketUnavailable
from bucket.probe import ConditionalWrites, probe_conditional_writes
from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.s3_settings import read_s3
from tests.bucket.certificates import Authority
from tests.bucket.contract import BucketContract
from tests.bucket.s3_servers import HOSTS, S3Server, minio_server, versitygw_server
from tests.peers.recipes import Recipe

PART = 5 << 20


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "of-the-store")


@pytest.fixture(scope="module")
def versitygw(
    peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path_factory.mktemp("versitygw") / "peer", authority) as server:
        yield server


@pytest.fixture(scope="module")
def minio(
    peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[S3Server]:
    with minio_server(peer("minio"), tmp_path_factory.mktemp("minio") / "peer", authority) as server:
        yield server


@pytest.fixture(params=["versitygw", "minio"])
def tls_server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def open_with(tls_server: S3Server) -> Iterator[Callable[..., S3Bucket]]:
    """Opens one bucket of the server with clients of these settings."""
    name, opened = tls_server.make_bucket(), []

    def open_it(**more: Any) -> S3Bucket:
        config = read_s3(tls_server.config(name) | more)
        opened.append(S3Bucket(config, make_clients(config)))
        return opened[-1]

    yield open_it
    for bucket in opened:
        bucket.close()


class TestBucketEncryptedByACustomersKey(BucketContract):
    """On MinIO: versitygw knows no SSE-C, and moto gives anything to anybody."""

    tries = 20

    @pytest.fixture
    def bucket(self, minio: S3Server, tmp_path: Path) -> S3Bucket:
        (tmp_path / "sse-key").write_bytes(bytes(32))
        sse = {"type": "SSE-C", "encryption_key": str(tmp_path / "sse-key")}
        return minio.open(minio.make_bucket(), sse_config=sse)


def tls(**config: Any) -> dict[str, Any]:
    return {"tls_config": config}


def test_a_file_of_authorities_is_trusted(open_with: Callable[..., S3Bucket]) -> None:
    assert probe_conditional_writes(open_with()) == ConditionalWrites(create=True, replace=True)


def test_without_its_authority_the_store_is_refused(
    open_with: Callable[..., S3Bucket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Authority(tmp_path / "other")
    for http_config in ({}, tls(trust_root_ca=True), tls(ca_file=str(other.ca_file))):
        with pytest.raises(BucketMisconfigured, match=r"tls_config\.ca_file"):
            open_with(http_config=http_config).put("k", b"")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(other.ca_file))
    with pytest.raises(BucketMisconfigured, match=r"tls_config\.ca_file"):
        open_with(http_config={}).put("k", b"")


def test_authorities_may_stand_beside_the_usual_ones(
    open_with: Callable[..., S3Bucket], authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_CA_BUNDLE takes the place of the usual ones, as everywhere at AWS."""
    other = str(Authority(tmp_path / "other").ca_file)
    open_with(http_config=tls(ca_file=str(authority.ca_file), trust_root_ca=True)).put("k", b"")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca_file))
    open_with(http_config={}).put("k", b"")
    open_with(http_config=tls(ca_file=other, trust_root_ca=True)).put("k", b"")
    with pytest.raises(BucketMisconfigured):
        open_with(http_config=tls(ca_file=other)).put("k", b"")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("http_config", [{"insecure_skip_verify": True}, tls(insecure_skip_verify=True)])
def test_the_check_can_be_left_out(open_with: Callable[..., S3Bucket], http_config: dict[str, Any]) -> None:
    open_with(http_config=http_config).put("k", b"")


def test_the_certificate_may_name_another_host_than_the_endpoint(
    tls_server: S3Server, open_with: Callable[..., S3Bucket], authority: Authority
) -> None:
    ca_file, elsewhere = str(authority.ca_file), tls_server.endpoint.replace("127.0.0.1", "localhost")
    for endpoint, server_name, right in (
        (elsewhere, HOSTS[1], True),
        (elsewhere, HOSTS[0], True),
        (elsewhere, "", False),
        (elsewhere, "other.example", False),
        (tls_server.endpoint, "other.example", False),
    ):
        bucket = open_with(endpoint=endpoint, http_config=tls(ca_file=ca_file, server_name=server_name))
        if right:
            bucket.put("k", b"")
        else:
            with pytest.raises(BucketMisconfigured, match="server_name"):
                bucket.put("k", b"")


def test_tls_and_its_absence_are_told_apart(
    tls_server: S3Server, open_with: Callable[..., S3Bucket], moto: S3Server
) -> None:
    config = read_s3(moto.config("any", insecure=False))
    bucket = S3Bucket(config, make_clients(config))
    with pytest.raises(BucketMisconfigured, match=r"config\.insecure to true"):
        bucket.put("k", b"")
    bucket.close()
    with pytest.raises(BucketUnavailable):  # some only hang up
        open_with(insecure=True, http_config={}).put("k", b"")


def test_a_customers_own_key_opens_what_it_closed(minio: S3Server, tmp_path: Path) -> None:
    name = minio.make_bucket()
    keys = {number: tmp_path / f"key{number}" for number in (1, 2)}
    for number, path in keys.items():
        path.write_bytes(bytes([number]) * 32)

    def sealed(number: int) -> S3Bucket:
        sse = {"type": "SSE-C", "encryption_key": str(keys[number])}
        return minio.open(name, sse_config=sse, part_size=PART)

    data = bytes(range(256)) * (PART // 256 + 1)
    (tmp_path / "large").write_bytes(data)
    mine, others, without = sealed(1), sealed(2), minio.open(name)
    mine.create("small", b"secret")
    mine.put_file("large", tmp_path / "large")
    assert (mine.get("small"), mine.get("large")) == (b"secret", data)
    assert mine.get_range("large", PART - 1, 3) == data[PART - 1 : PART + 2]
    mine.download("large", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert {info.key: info.size for info in mine.list("")} == {"small": 6, "large": len(data)}
    mine.replace("small", b"newer", mine.stat("small").version)
    assert mine.get("small") == b"newer"
    assert probe_conditional_writes(mine) == ConditionalWrites(create=True, replace=True)
    for bucket in (others, without):
        for key in ("small", "large"):
            with pytest.raises(BucketMisconfigured):
                bucket.get(key)
