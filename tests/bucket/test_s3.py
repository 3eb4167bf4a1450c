from pathlib import Path
from typing import ClassVar

import pytest

from bucket.bucket import BucketMisconfigured, PreconditionFailed
from bucket.probe import ConditionalWrites, probe_conditional_writes
from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.s3_settings import read_s3
from tests.bucket.contract import BucketContract
from tests.bucket.s3_servers import KMS_KEY, S3Server

PART = 5 << 20


@pytest.fixture
def bucket(s3_server: S3Server) -> S3Bucket:
    return s3_server.open(s3_server.make_bucket())


class TestS3Bucket(BucketContract):
    every_write_is_a_version = False
    tries = 20


class EncryptedContract(BucketContract):
    """MinIO encrypts in earnest."""

    tries = 20
    sse: ClassVar[dict[str, str]]

    @pytest.fixture
    def bucket(self, minio: S3Server) -> S3Bucket:
        return minio.open(minio.make_bucket(), sse_config=self.sse)


class TestBucketEncryptedByTheStore(EncryptedContract):
    every_write_is_a_version = False
    sse: ClassVar = {"type": "SSE-S3"}


class TestBucketEncryptedByAManagedKey(EncryptedContract):
    sse: ClassVar = {"type": "SSE-KMS", "kms_key_id": KMS_KEY}


def test_the_probe_finds_conditional_writes_and_leaves_nothing(bucket: S3Bucket) -> None:
    assert probe_conditional_writes(bucket) == ConditionalWrites(create=True, replace=True)
    assert list(bucket.list("")) == []


def test_a_large_file_goes_up_in_parts(s3_server: S3Server, tmp_path: Path) -> None:
    name = s3_server.make_bucket()
    data = bytes(range(256)) * (PART // 256 * 2 + 4)
    (tmp_path / "source").write_bytes(data)
    for bucket, parts in ((s3_server.open(name, part_size=PART), 3), (s3_server.open(name), 1)):
        bucket.put_file("k", tmp_path / "source")
        assert bucket.get("k") == data
        assert bucket.get_range("k", PART - 10, 20) == data[PART - 10 : PART + 10]
        assert bucket.stat("k").version.strip('"').endswith("-3") == (parts == 3)
        with pytest.raises(PreconditionFailed):
            bucket.create("k", b"")
        bucket.download("k", tmp_path / f"copy{parts}")
        assert (tmp_path / f"copy{parts}").read_bytes() == data


def test_a_listing_goes_on_behind_its_first_page(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")  # of a page, else 1000
    name = moto.make_bucket()
    keys = [f"d{number}/k" for number in range(10)]
    for key in keys:
        moto.clients.patient.put_object(Bucket=name, Key=key)
    assert moto.clients.patient.list_objects_v2(Bucket=name)["KeyCount"] == 4
    for bucket in (moto.open(name), moto.open(name, list_objects_version="v1")):
        assert [info.key for info in bucket.list("")] == keys
        assert [info.key for info in bucket.list("d", "d2/k")] == keys[3:]
        assert list(bucket.list_dirs("")) == [key.removesuffix("/k") for key in keys]


def test_what_cannot_be_named_here_is_not_listed(moto: S3Server) -> None:
    name = moto.make_bucket()
    for key in ("folder/", "a//b", "ok/k"):
        moto.clients.patient.put_object(Bucket=name, Key=key)
    assert [info.key for info in moto.open(name).list("")] == ["ok/k"]
    assert list(moto.open(name).list_dirs("a/")) == []


def test_encryption_metadata_and_storage_class_are_asked_for(moto: S3Server, tmp_path: Path) -> None:
    name = moto.make_bucket()
    kms = {"type": "SSE-KMS", "kms_key_id": "key-1", "kms_encryption_context": {"team": "sre"}}
    metadata = {"team": "sre", "x-amz-storage-class": "STANDARD_IA"}
    bucket = moto.open(name, sse_config=kms, put_user_metadata=metadata, part_size=PART)
    (tmp_path / "large").write_bytes(b"x" * (PART + 1))
    bucket.create("created", b"")
    bucket.put_file("large", tmp_path / "large")
    for key in ("created", "large"):
        head = moto.clients.patient.head_object(Bucket=name, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "key-1")
        assert (head["Metadata"], head["StorageClass"]) == ({"team": "sre"}, "STANDARD_IA")
    moto.open(name, sse_config={"type": "SSE-S3"}).put("k", b"")
    assert moto.clients.patient.head_object(Bucket=name, Key="k")["ServerSideEncryption"] == "AES256"


def test_what_is_encrypted_is_not_on_the_drive(minio: S3Server, tmp_path: Path) -> None:
    name = minio.make_bucket()
    kms = {"type": "SSE-KMS", "kms_key_id": KMS_KEY, "kms_encryption_context": {"team": "sre"}}
    (tmp_path / "large").write_bytes(b"in-the-clear" * (PART // 10))
    for number, (sse, answer, hidden) in enumerate(
        (({"type": ""}, None, False), ({"type": "SSE-S3"}, "AES256", True), (kms, "aws:kms", True))
    ):
        bucket = minio.open(name, sse_config=sse, part_size=PART)
        keys = (f"{number}/small", f"{number}/large")
        bucket.create(keys[0], b"in-the-clear" * 10)
        bucket.put_file(keys[1], tmp_path / "large")
        assert bucket.get(keys[1]) == (tmp_path / "large").read_bytes()
        for key in keys:
            assert minio.clients.patient.head_object(Bucket=name, Key=key).get("ServerSideEncryption") == answer
            stored = b"".join(path.read_bytes() for path in minio.files(name, key))
            assert (b"in-the-clear" not in stored) == hidden


def test_a_managed_key_that_is_not_there_is_named(minio: S3Server) -> None:
    bucket = minio.open(minio.make_bucket(), sse_config={"type": "SSE-KMS", "kms_key_id": "never-made"})
    with pytest.raises(BucketMisconfigured, match=r"sse_config\.kms_key_id"):
        bucket.put("k", b"")


def test_a_bucket_that_is_not_there_is_named(s3_server: S3Server) -> None:
    bucket = s3_server.open("never-made")
    for call in (
        lambda: bucket.get("k"),
        lambda: bucket.put("k", b""),
        lambda: list(bucket.list("")),
        lambda: probe_conditional_writes(bucket),
    ):
        with pytest.raises(BucketMisconfigured, match="create the bucket"):
            call()


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ({"secret_key": "wrong-secret-value"}, "secret_key"),
        ({"access_key": "nobody"}, "[aA]ccess [kK]ey"),
    ],
)
@pytest.mark.parametrize("checking", ["versitygw", "minio"])
def test_wrong_credentials_are_told_apart_without_being_shown(
    request: pytest.FixtureRequest, checking: str, more: dict[str, str], hint: str
) -> None:
    server: S3Server = request.getfixturevalue(checking)
    config = read_s3(server.config(server.make_bucket()) | more)
    bucket = S3Bucket(config, make_clients(config))
    with pytest.raises(BucketMisconfigured, match=hint) as caught:
        bucket.put("k", b"")
    assert "wrong-secret-value" not in str(caught.value)
    bucket.close()
