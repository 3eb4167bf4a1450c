"""An S3 server behind a proxy that drops, loses, cuts and stalls: right or refused, and never half."""

import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bucket.bucket import BucketMisconfigured, BucketUnavailable, ObjectNotFound, PreconditionFailed
from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.s3_settings import read_s3
from tests.bucket.fault_proxy import Fault, FaultProxy, Plan, Refusal, fault_proxy
from tests.bucket.s3_servers import S3Server

PART = 5 << 20
SLOW_DOWN = Refusal(503, "SlowDown")
FAULTS: list[Fault] = ["drop", "half", "lose", "cut", "stall", SLOW_DOWN, Refusal(500, "InternalError"),
                       Refusal(409, "ConditionalRequestConflict")]  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's waits between attempts are botocore's own, of seconds."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


def through(proxy: FaultProxy, server: S3Server, name: str, **more: Any) -> S3Bucket:
    http = {"response_header_timeout": "500ms"}
    config = read_s3(server.config(name, http_config=http, **more) | {"endpoint": proxy.endpoint})
    return S3Bucket(config, make_clients(config), sleep=lambda _: None)


def first(*faults: Fault, method: str = "PUT") -> Plan:
    """These, one by one, for requests of a method; then none."""
    left = list(faults)
    return lambda asked, _: left.pop(0) if left and asked == method else "pass"


class Model:
    """What each key may hold: more than one value while an answer is outstanding. None is no object."""

    def __init__(self, bucket: S3Bucket, seed: int, directory: Path) -> None:
        self.bucket = bucket
        self.random = random.Random(seed)
        self.may: dict[str, set[bytes | None]] = {f"d/{number}": {None} for number in range(4)}
        self.directory = directory
        self.outcomes: Counter[str] = Counter()

    def step(self, number: int) -> None:
        key = self.random.choice(list(self.may))
        value = b"%d-" % number + self.random.randbytes(self.random.choice([0, 10, 40_000]))
        steps = [
            self.put,
            self.put_file,
            self.create,
            self.replace,
            self.delete,
            self.get,
            self.get_range,
            self.download,
        ]
        operation = self.random.choice(steps)
        try:
            operation(key, value)
            self.outcomes["done"] += 1
        except BucketMisconfigured:
            raise  # no fault of the way is the operator's
        except BucketUnavailable:
            self.outcomes["unavailable"] += 1

    def put(self, key: str, value: bytes) -> None:
        self.may[key].add(value)
        self.bucket.put(key, value)
        self.may[key] = {value}

    def put_file(self, key: str, value: bytes) -> None:
        (self.directory / "source").write_bytes(value)
        self.may[key].add(value)
        self.bucket.put_file(key, self.directory / "source")
        self.may[key] = {value}

    def create(self, key: str, value: bytes) -> None:
        before = self.may[key]
        self.may[key] = before | {value} if None in before else before
        try:
            self.bucket.create(key, value)
        except PreconditionFailed:
            self.may[key] -= {None}  # there was one, or it is one's own
            assert self.may[key], "refused where nothing was"
            return
        assert None in before, "created over an object"
        self.may[key] = {value}

    def replace(self, key: str, value: bytes) -> None:
        try:
            version = self.bucket.stat(key).version
        except ObjectNotFound:
            return self.found(key, None)
        before = self.may[key] - {None}
        self.may[key] = before | {value}
        self.bucket.replace(key, value, version)  # nobody else writes, so it is never refused
        self.may[key] = {value}
        return None

    def delete(self, key: str, _: bytes) -> None:
        self.may[key].add(None)
        self.bucket.delete(key)
        self.may[key] = {None}

    def get(self, key: str, _: bytes) -> None:
        try:
            self.found(key, self.bucket.get(key))
        except ObjectNotFound:
            self.found(key, None)

    def get_range(self, key: str, _: bytes) -> None:
        try:
            got = self.bucket.get_range(key, 2, 30_000)
        except ObjectNotFound:
            return self.found(key, None)
        assert got in {value[2:30_002] for value in self.may[key] if value is not None}
        return None

    def download(self, key: str, _: bytes) -> None:
        target = self.directory / "copy"
        try:
            self.bucket.download(key, target)
            self.found(key, target.read_bytes())
            target.unlink()
        except ObjectNotFound:
            self.found(key, None)
        finally:
            assert not target.exists()

    def found(self, key: str, value: bytes | None) -> None:
        assert value in self.may[key], f"{key} holds what nothing wrote last"
        self.may[key] = {value}


@pytest.mark.parametrize("seed", [1, 3])
def test_every_call_is_done_or_says_it_may_not_be(s3_server: S3Server, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    name = s3_server.make_bucket()
    planned: Counter[Fault] = Counter()

    def plan(_method: str, _path: str) -> Fault:
        fault: Fault = chance.choice(FAULTS) if chance.random() < 0.45 else "pass"
        planned[fault] += 1
        return fault

    with fault_proxy(s3_server.endpoint, plan, 0.7) as proxy:
        bucket = through(proxy, s3_server, name, max_retries=1)
        model = Model(bucket, seed, tmp_path)
        for number in range(60):
            model.step(number)
            proxy.settle()
        bucket.close()
    assert set(planned) == {"pass", *FAULTS}
    assert model.outcomes["done"] > 15
    assert model.outcomes["unavailable"] > 0
    direct = s3_server.open(name)
    stored = {info.key: direct.get(info.key) for info in direct.list("")}
    assert [key for key, values in model.may.items() if stored.get(key) not in values] == []


def test_a_create_whose_answer_was_lost_is_there_and_says_so(s3_server: S3Server) -> None:
    name = s3_server.make_bucket()
    with fault_proxy(s3_server.endpoint, first("lose")) as proxy:
        bucket = through(proxy, s3_server, name)
        with pytest.raises(PreconditionFailed):
            bucket.create("k", b"mine")
        assert bucket.get("k") == b"mine"
        bucket.close()


def test_a_replace_whose_answer_was_lost_is_not_mistaken_for_anothers(s3_server: S3Server) -> None:
    name = s3_server.make_bucket()
    s3_server.open(name).put("k", b"old")
    with fault_proxy(s3_server.endpoint, first("lose")) as proxy:
        bucket = through(proxy, s3_server, name)
        with pytest.raises(BucketUnavailable):
            bucket.replace("k", b"mine", bucket.stat("k").version)
        assert bucket.get("k") == b"mine"
        bucket.close()


def test_conflicts_cut_bodies_and_short_outages_are_outlasted(s3_server: S3Server, tmp_path: Path) -> None:
    name = s3_server.make_bucket()
    conflict = Refusal(409, "ConditionalRequestConflict")
    with fault_proxy(s3_server.endpoint, first(conflict, conflict, SLOW_DOWN, "drop")) as proxy:
        bucket = through(proxy, s3_server, name)
        bucket.create("k", b"data" * 1000)
        bucket.close()
    with fault_proxy(s3_server.endpoint, first("cut", "cut", "pass", "cut", "drop", "cut", method="GET")) as proxy:
        bucket = through(proxy, s3_server, name)
        assert bucket.get("k") == b"data" * 1000
        bucket.download("k", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"data" * 1000
        assert [info.key for info in bucket.list("")] == ["k"]
        bucket.close()


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (SLOW_DOWN, BucketUnavailable, "asks for less"),
        (Refusal(429, "TooManyRequests"), BucketUnavailable, "asks for less"),
        (Refusal(500, "InternalError"), BucketUnavailable, "code=InternalError"),
        (Refusal(409, "ConditionalRequestConflict"), BucketUnavailable, "ConditionalRequestConflict"),
        ("drop", BucketUnavailable, "did not answer"),
        ("stall", BucketUnavailable, "did not answer"),
        (Refusal(403, "AccessDenied"), BucketMisconfigured, "allow ListBucket"),
        (Refusal(403, "RequestTimeTooSkewed"), BucketMisconfigured, "timedatectl"),
        (Refusal(400, "ExpiredToken"), BucketMisconfigured, "renew session_token"),
        (Refusal(501, "NotImplemented"), BucketUnavailable, "NotImplemented"),
        (Refusal(400, "Whatever"), BucketMisconfigured, "code=Whatever"),
    ],
)
def test_what_lasts_becomes_what_the_caller_does_next(
    moto: S3Server, fault: Fault, kind: type[Exception], message: str
) -> None:
    name = moto.make_bucket()
    with fault_proxy(moto.endpoint, lambda _method, _path: fault, 0.7) as proxy:
        bucket = through(proxy, moto, name, max_retries=1)
        calls = (lambda: bucket.put("k", b""), lambda: bucket.get("k"), lambda: list(bucket.list("")))
        for call in calls:
            with pytest.raises(kind, match=message) as caught:
                call()
            assert isinstance(caught.value, BucketMisconfigured) == (kind is BucketMisconfigured)
        assert len(proxy.seen) <= len(calls) * 8, "it was tried without bound"
        bucket.close()


def test_a_redirect_that_leads_to_itself_is_named(moto: S3Server) -> None:
    with fault_proxy(moto.endpoint, lambda _method, _path: Refusal(301, "PermanentRedirect")) as proxy:
        bucket = through(proxy, moto, "any")
        with pytest.raises(BucketMisconfigured, match="redirects in a circle"):
            bucket.put("k", b"")
        bucket.close()


def test_a_store_that_is_not_there_is_waited_for(moto: S3Server) -> None:
    with fault_proxy(moto.endpoint, first()) as proxy:
        bucket = through(proxy, moto, "any", max_retries=0)
    with pytest.raises(BucketUnavailable, match="did not answer") as caught:
        bucket.put("k", b"")
    assert not isinstance(caught.value, BucketMisconfigured)


def test_an_upload_that_fails_leaves_no_parts(s3_server: S3Server, tmp_path: Path) -> None:
    name = s3_server.make_bucket()
    (tmp_path / "large").write_bytes(b"x" * (2 * PART))
    fail_second: Plan = lambda _, path: SLOW_DOWN if "partNumber=2" in path else "pass"  # noqa: E731 - one plan
    with fault_proxy(s3_server.endpoint, fail_second) as proxy:
        bucket = through(proxy, s3_server, name, part_size=PART, max_retries=0)
        with pytest.raises(BucketUnavailable, match="SlowDown"):
            bucket.put_file("k", tmp_path / "large")
        bucket.close()
    assert any("partNumber=1" in path for _, path in proxy.seen)
    assert list(s3_server.open(name).list("")) == []
    assert "Uploads" not in s3_server.clients.patient.list_multipart_uploads(Bucket=name)
