import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bucket.bucket import BucketMisconfigured
from bucket.open import open_bucket
from bucket.s3 import S3Bucket
from bucket.s3_client import make_clients
from bucket.s3_settings import S3Config, read_s3
from bucket.settings import BucketSettings
from forebay.settings import effective

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"

THANOS = """
type: S3
config:
  bucket: "metrics"
  endpoint: "object-store:9000"
  region: ""
  disable_dualstack: false
  aws_sdk_auth: false
  access_key: "AKIDEXAMPLE"
  insecure: true
  signature_version2: false
  secret_key: "hunter2hunter2"
  session_token: "session-of-hunter2"
  put_user_metadata: {team: sre, X-Amz-Storage-Class: STANDARD_IA}
  http_config:
    idle_conn_timeout: 1m30s
    response_header_timeout: 2m
    insecure_skip_verify: false
    tls_handshake_timeout: 10s
    expect_continue_timeout: 1s
    max_idle_conns: 100
    max_idle_conns_per_host: 100
    max_conns_per_host: 0
    tls_config:
      ca_file: ""
      trust_root_ca: false
      cert_file: ""
      key_file: ""
      server_name: ""
      insecure_skip_verify: false
    disable_compression: false
    force_attempt_http2: false
  trace:
    enable: false
  list_objects_version: ""
  bucket_lookup_type: auto
  send_content_md5: true
  disable_multipart: false
  part_size: 67108864
  sse_config:
    type: ""
    kms_key_id: ""
    kms_encryption_context: {}
    encryption_key: ""
  sts_endpoint: ""
  max_retries: 3
prefix: "team"
"""


def settings(text: str) -> BucketSettings:
    return msgspec.convert(yaml.safe_load(text), BucketSettings)


def read(**more: Any) -> S3Config:
    return read_s3({"bucket": "b", "endpoint": "e:9000", **more})


def test_thanos_own_file_is_read() -> None:
    config = settings(THANOS).s3()
    assert (config.url, config.http_config.response_header_timeout.seconds) == ("http://object-store:9000", 120)
    assert (config.metadata, config.storage_class) == ({"team": "sre"}, "STANDARD_IA")


def test_no_secret_is_shown() -> None:
    secrets = ("hunter2", "AKIDEXAMPLE")
    bucket = open_bucket(settings(THANOS))
    shown = [bucket.description, repr(bucket), repr(settings(THANOS).s3()), str(effective(settings(THANOS)))]
    assert bucket.description == "s3 bucket=metrics endpoint=object-store:9000 prefix=team/"
    assert [text for text in shown if any(secret in text for secret in secrets)] == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"bucket": ""}, "bucket must be"),
        ({"endpoint": "https://e"}, "without a scheme"),
        ({"endpoint": ""}, "without a scheme"),
        ({"access_key": "a"}, "belong together"),
        ({"secret_key": "hunter2"}, "belong together"),
        ({"session_token": "hunter2"}, "session_token needs"),
        ({"aws_sdk_auth": True, "access_key": "a", "secret_key": "hunter2"}, "exclude each other"),
        ({"signature_version2": True}, "signed with version 4"),
        ({"sts_endpoint": "https://sts"}, "AWS_ENDPOINT_URL_STS"),
        ({"sse_config": {"type": "SSE-C"}}, r"SSE-C needs encryption_key.*\$.sse_config"),
        ({"sse_config": {"type": "SSE-C", "encryption_key": "/key"}, "insecure": True}, "without TLS"),
        ({"sse_config": {"type": "SSE-KMS"}}, "needs kms_key_id"),
        ({"sse_config": {"type": "SSE"}}, r"Invalid enum value 'SSE' - at `\$.sse_config.type`"),
        ({"trace": {"enable": True}}, r"tracing.*\$.trace"),
        ({"http_config": {"tls_config": {"cert_file": "x"}}}, "belong together"),
        ({"http_config": {"response_header_timeout": 5}}, r"such as 30s.*\$.http_config.response_header_timeout"),
        ({"http_config": {"response_header_timeout": "0s"}}, "must be above 0"),
        ({"http_config": {"max_idle_conns_per_host": 0}}, "must be above 0"),
        ({"http_config": {"timeout": "5s"}}, r"unknown field `timeout` - at `\$.http_config`"),
        ({"part_size": 1024}, "part_size must be between"),
        ({"part_size": -1}, "part_size must be between"),
        ({"max_retries": -1}, "max_retries must be"),
        ({"list_objects_version": "v3"}, "Invalid enum value 'v3'"),
        ({"bucket_lookup_type": "dns"}, "Invalid enum value 'dns'"),
        ({"acces_key": "a"}, "unknown field `acces_key`"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(more: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message) as caught:
        read(**more)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "style", "region"),
    [
        ({}, "path", "us-east-1"),
        ({"region": "eu"}, "path", "eu"),
        ({"bucket_lookup_type": "virtual-hosted"}, "virtual", "us-east-1"),
        ({"endpoint": "s3.eu-west-1.amazonaws.com"}, "virtual", "eu-west-1"),
        ({"endpoint": "s3.dualstack.eu-west-1.amazonaws.com:443"}, "virtual", "eu-west-1"),
        ({"endpoint": "s3.amazonaws.com"}, "virtual", "us-east-1"),
        ({"endpoint": "s3.cn-north-1.amazonaws.com.cn", "bucket_lookup_type": "path"}, "path", "cn-north-1"),
    ],
)
def test_the_client_asks_the_right_place(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], style: str, region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    meta = make_clients(read(**more)).patient.meta
    assert (meta.config.s3["addressing_style"], meta.region_name) == (style, region)
    assert meta.endpoint_url == read(**more).url


def test_without_keys_the_aws_chain_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert make_clients(read()).single._request_signer._credentials.access_key == "of-the-environment"
    own = make_clients(read(access_key="own", secret_key="own"))
    assert own.single._request_signer._credentials.access_key == "own"


def fields(kind: type[msgspec.Struct]) -> set[str]:
    found = set()
    for field in msgspec.structs.fields(kind):
        found.add(field.name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= fields(field.type)
    return found


def test_every_key_is_documented() -> None:
    page = PAGE.read_text().partition("## bucket")[2].partition("## segment")[0]
    known_by_type = {"type", "enable"}
    assert {name for name in fields(S3Config) - known_by_type if name not in page} == set()


def test_s3_is_opened_by_its_type_in_any_case() -> None:
    assert isinstance(open_bucket(settings("{type: s3, config: {bucket: b, endpoint: e}}")), S3Bucket)


def test_a_part_size_of_0_is_the_default() -> None:
    assert read(part_size=0).part_bytes == read().part_bytes == 64 << 20


def chained(monkeypatch: pytest.MonkeyPatch, home: Path, **variables: str) -> None:
    """The AWS chain sees these variables and the files of this home alone."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ({"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"} | variables).items():
        monkeypatch.setenv(name, value)


def write_aws(home: Path, credentials: str, config: str = "") -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text(credentials)
    (home / ".aws" / "config").write_text(config)


def test_shared_profiles_are_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    default = "[default]\naws_access_key_id = of-default\naws_secret_access_key = s\n"
    other = "[other]\naws_access_key_id = of-other\naws_secret_access_key = s\naws_session_token = t\n"
    write_aws(tmp_path, default + other, "[profile other]\nregion = eu-north-1\n")
    for variables, key, region in (
        ({}, "of-default", "us-east-1"),
        ({"AWS_PROFILE": "other"}, "of-other", "eu-north-1"),
        ({"AWS_PROFILE": "other", "AWS_REGION": "eu-west-3"}, "of-other", "eu-west-3"),
        ({"AWS_ACCESS_KEY_ID": "of-environment", "AWS_SECRET_ACCESS_KEY": "s"}, "of-environment", "us-east-1"),
    ):
        chained(monkeypatch, tmp_path, **variables)
        for config in (read(), read(aws_sdk_auth=True)):
            client = make_clients(config).patient
            assert (client._request_signer._credentials.access_key, client.meta.region_name) == (key, region)
        assert make_clients(read(region="own")).patient.meta.region_name == "own"


@pytest.mark.parametrize(
    ("variables", "config", "hint"),
    [
        ({"AWS_PROFILE": "missing"}, "", "correct AWS_PROFILE"),
        ({"AWS_ACCESS_KEY_ID": "alone"}, "", "AWS_ACCESS_KEY_ID"),
        ({}, "no section", "~/.aws"),
    ],
)
def test_what_is_wrong_with_the_chain_is_the_operators_to_put_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], config: str, hint: str
) -> None:
    write_aws(tmp_path, "", config)
    chained(monkeypatch, tmp_path, **variables)
    with pytest.raises(BucketMisconfigured, match=re.escape(hint)):
        make_clients(read())


def test_a_chain_that_ends_nowhere_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chained(monkeypatch, tmp_path)
    with pytest.raises(BucketMisconfigured, match="set access_key and secret_key"):
        open_bucket(settings("{type: S3, config: {bucket: b, endpoint: '127.0.0.1:1', insecure: true}}")).put("k", b"")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_tls_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_bytes(content)
    pair = {"cert_file": str(file), "key_file": str(file)}
    for tls_config in ({"ca_file": str(file)}, {"ca_file": str(file), "trust_root_ca": True}, pair):
        with pytest.raises(BucketMisconfigured, match=r"correct bucket\.config\.http_config\.tls_config") as caught:
            make_clients(read(http_config={"tls_config": tls_config}))
        assert str(file) in str(caught.value)


@pytest.mark.parametrize("key", [None, b"", b"x" * 31, b"x" * 33, b"hunter2hunter2"])
def test_a_customers_key_that_cannot_be_used_is_named(tmp_path: Path, key: bytes | None) -> None:
    file = tmp_path / "key"
    if key is not None:
        file.write_bytes(key)
    config = read(sse_config={"type": "SSE-C", "encryption_key": str(file)})
    with pytest.raises(BucketMisconfigured, match="exactly 32 random bytes") as caught:
        S3Bucket(config, make_clients(config))
    assert str(file) in str(caught.value)
    assert "hunter2" not in str(caught.value)
