"""Settings: what may stand in the file, and what an operator reads where something is wrong."""

from pathlib import Path

import pytest
import yaml

from forebay.settings import Settings, effective, host_and_port
from forebay.settings_file import load_settings, parse_settings
from forebay.strict_yaml import SettingsError
from forebay.units import Duration, Size


def settings(text: str, **environment: str) -> Settings:
    return parse_settings(text, environment)


def problem(text: str, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(text, **environment)
    return str(caught.value.args[0])


def test_no_file_and_an_empty_file_are_the_defaults(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing yet\n")
    assert load_settings(None) == load_settings(empty) == Settings()


def test_the_designs_example_is_understood() -> None:
    read = settings(
        """
        broker:
          type: embedded
          embedded: {partitions: 8, retention: 24h}
        bucket: {type: FILESYSTEM, config: {directory: "${BUCKET}/blocks"}}
        segment: {interval: 30m, grace: 30s, max_bytes: 1GiB}
        consumer: {group: forebay, replica: ""}
        tenancy: {headers: [X-Scope-OrgID, THANOS-TENANT], default_tenant: default-tenant, label: tenant_id}
        external_labels: {cluster: eu1}
        limits: {}
        """,
        BUCKET="/srv",
    )
    assert read.broker.embedded.partitions == 8
    assert read.bucket is not None
    assert read.bucket.config == {"directory": "/srv/blocks"}
    assert read.segment.interval == Duration.parse("30m")
    assert read.segment.max_bytes == Size(1 << 30)
    assert read.external_labels == {"cluster": "eu1"}


def test_json_is_yaml() -> None:
    assert settings('{"segment": {"interval": "1m"}}').segment.interval == 60_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nonsense: 1", "nonsense: unknown setting"),
        ("segment: {intervall: 1m}", "segment.intervall: unknown setting"),
        ("broker: {embedded: {partitons: 4}}", "broker.embedded.partitons: unknown setting"),
        ("segment: {interval: soon}", "segment.interval: not a duration such as 30m or 1h30m (got 'soon')"),
        ("segment: {interval: 60}", "segment.interval: expected a duration such as 30s, 5m or 1h30m (got 60)"),
        ("gateway: {max_body_bytes: 1 apple}", "gateway.max_body_bytes: not a size such as 64MiB (got '1 apple')"),
        ("gateway: {max_body_bytes: true}", "gateway.max_body_bytes: expected a size such as 64MiB, or a number"),
        (
            "broker: {embedded: {partitions: four}}",
            "broker.embedded.partitions: expected `int`, got `str` (got 'four')",
        ),
        ("broker: {embedded: {partitions: 0}}", "broker.embedded: partitions must be from 1 to 1024 (got 0)"),
        ("broker: {type: rabbit}", "broker.type: invalid enum value 'rabbit' (got 'rabbit')"),
        ("tenancy: {headers: [1]}", "tenancy.headers[0]: expected `str`, got `int` (got 1)"),
        ("tenancy: {headers: X-Scope-OrgID}", "tenancy.headers: expected `array`, got `str` (got 'X-Scope-OrgID')"),
        ("external_labels: {cluster: 1}", "external_labels[...]: expected `str`, got `int`"),
        ("limits: {max_age: -1d}", "limits.max_age: not a duration"),
        ("web: {listen_address: nowhere}", "web: not an address such as :9201 or 127.0.0.1:9201 (got 'nowhere')"),
        ("bucket: {type: CLOUD}", "bucket: type 'CLOUD' is unknown"),
        ("bucket: {type: S3}", "bucket: config: Object missing required field `bucket`"),
        (
            "bucket: {type: S3, config: {secret_key: hunter2}}",
            "bucket: config: Object missing required field `bucket` (got {'type': 'S3', 'config': {'secret_key': '<sec",
        ),
        ("gateway: {in_flight_bytes: 1MiB}", "gateway: in_flight_bytes must be at least"),
        ("external_labels: {tenant_id: a}", "settings: external_labels must not hold tenancy.label (got 'tenant_id')"),
        ("tenancy: {default_tenant: a/b}", "settings: tenancy.default_tenant is not a tenant id"),
        ("ha: {tenants: all}", "ha.tenants: "),
        ("ha: {tenants: [a/b]}", "settings: one of ha.tenants is not a tenant id"),
        ("ha: {replica_label: cluster}", "ha: cluster_label and replica_label must be two label names"),
        ("ha: {failover_timeout: 0s}", "ha: failover_timeout must be above 0"),
        ("ha: {max_clusters: 0}", "ha: max_clusters must be within 1 and 10000"),
        ("external_labels: {'': a}", "settings: external labels must be named [a-zA-Z_]"),
        ("tenancy: {label: 9a}", "settings: external labels must be named [a-zA-Z_]"),
        ("consumer: {group: ../x}", "settings: consumer.group and consumer.replica: not a name for a group"),
        (
            "broker: {type: kafka, kafka: {delivery_timeout: 25s}}",
            "settings: broker.kafka.delivery_timeout must be below gateway.append_timeout (got 25s and 25s)",
        ),
        (
            "broker: {kafka: {librdkafka: {acks: 1}}}",
            "broker.kafka: librdkafka must not hold what this program decides (got acks)",
        ),
        ("{ha: {tenants: '*'}, limits: {ha: false}}", "settings: ha.tenants and limits.ha must not both be set"),
        ("- a\n- b", "settings: expected a mapping (got ['a', 'b'])"),
        ("segment: {interval: 1m}\nsegment: {interval: 2m}", "not YAML: while reading a mapping"),
        ("segment: [", "not YAML:"),
        ("segment: {interval: '${NOT_SET}'}", "segment.interval: environment variable NOT_SET is not set"),
        ("tenancy: {headers: ['${NOT_SET}']}", "tenancy.headers[0]: environment variable NOT_SET is not set"),
    ],
)
def test_errors_name_the_path_the_problem_and_the_value(text: str, expected: str) -> None:
    assert problem(text).startswith(expected)
    assert "\n" not in problem(text)


def test_a_secret_in_a_wrong_place_is_not_shown() -> None:
    assert "hunter2" not in problem("segment: {max_bytes: '${PASSWORD}'}", PASSWORD="hunter2")


def test_variables_are_replaced_in_values_only() -> None:
    assert problem("${NAME}: 1", NAME="segment") == "${NAME}: unknown setting"


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SettingsError, match="cannot read the settings file"):
            load_settings(path)


def test_the_consumers_bounds_are_wider_than_the_gateways() -> None:
    read = settings("limits: {max_age: 2d, max_future: 1h}")
    assert read.bounds.max_age > Duration.parse("2d")
    assert read.bounds.max_future > Duration.parse("1h")


def test_whatever_the_gateway_acknowledges_has_a_window() -> None:
    month = settings("limits: {max_age: 30d}").bounds
    assert month.max_windows * Duration.parse("2h") >= month.max_age + month.max_future
    assert settings("").bounds.max_windows == 128


def test_effective_settings_read_back_as_the_same_settings() -> None:
    read = settings("segment: {interval: 90s}\nbucket: {type: FILESYSTEM, config: {directory: /b}}")
    assert settings(yaml.safe_dump(effective(read))) == read


def test_effective_settings_hold_no_secret() -> None:
    shown = effective({"config": {"secret_key": "hunter2", "access_key": "AKIA", "endpoint": "s3"}})
    assert shown == {"config": {"secret_key": "<secret>", "access_key": "<secret>", "endpoint": "s3"}}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":9201", (None, 9201)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:9201", ("::1", 9201)),
        ("host.example:80", ("host.example", 80)),
    ],
)
def test_addresses(address: str, expected: tuple[str | None, int]) -> None:
    assert host_and_port(address) == expected


@pytest.mark.parametrize("address", ["", "9201", "host", "host:", "host:99999", "host:-1", "host:x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        host_and_port(address)


def test_a_key_that_is_no_text_is_refused() -> None:
    assert "a key is no text" in problem("? [a, b]\n: 1")
