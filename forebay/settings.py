"""The settings file: one strict tree, composed of what each package lets an operator choose.

Decoding lives in `forebay.settings_file`; this module only says what there is.
"""

import re
import urllib.parse
from typing import Any, Literal

import msgspec

from broker.embedded_commits import check_group
from broker.settings import BrokerSettings
from bucket.settings import BucketSettings
from compactor.settings import CompactorSettings
from consumers.settings import WINDOW, BoundSettings, ConsumerSettings, SegmentSettings
from forebay.errors import Fatal
from forebay.units import Duration, Size
from gateway.limits import LimitSettings
from gateway.otlp.settings import OtlpSettings
from gateway.settings import GatewaySettings, HaSettings, TenancySettings
from gateway.tenant import BadTenant, check_grant, check_tenant
from query.settings import QuerySettings

_LABEL_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server of every role."""

    listen_address: str = ""
    """HOST:PORT; an empty host is every address. Empty as a whole: each role's own port (docs/configuration.md)."""
    drain_delay: Duration = Duration(0)
    """How long to be unready before connections are refused, for a load balancer to notice."""
    shutdown_timeout: Duration = Duration.parse("30s")
    """How long requests in flight may take after that."""
    config_file: str = ""
    """As --web.config.file: TLS, headers and users in the format of Prometheus' exporter-toolkit."""
    max_connections: int = 4096
    """Open at once; for one more, the one that was idle for longest is closed."""
    header_timeout: Duration = Duration.parse("10s")
    """How long a client may take for a request's headers, and for a TLS handshake."""
    write_timeout: Duration = Duration.parse("30s")
    """How long a client may take nothing of an answer that waits for it."""
    enable_lifecycle: bool = False
    """Whether POST /-/reload does anything."""
    enable_admin_api: bool = False
    """Whether requests may do what is an operator's, such as trials of limits."""
    processes: int = 1
    """Of a gateway, behind its one port."""

    def __post_init__(self) -> None:
        if not 1 <= self.processes <= 64:
            raise ValueError("processes must be within 1 and 64")
        if self.drain_delay < 0 or self.shutdown_timeout < 0:
            raise ValueError("drain_delay and shutdown_timeout must be at least 0")
        if min(self.max_connections, self.header_timeout, self.write_timeout) <= 0:
            raise ValueError("max_connections, header_timeout and write_timeout must be above 0")
        if self.listen_address:
            host_and_port(self.listen_address)


class AuthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What web.config_file, whose format is Prometheus', has no words for."""

    bearer_file: str = ""
    """Bearer tokens by their SHA-256, with the tenants of each; read anew on reload."""
    open_paths: tuple[Literal["/-/healthy", "/-/ready", "/metrics"], ...] = ()
    """For whose sake nobody has to log in: what probes and scrapers ask for."""


class ReloadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files that are read anew while the process serves."""

    interval: Duration = Duration.parse("5s")
    """How often they are looked at for a change."""

    def __post_init__(self) -> None:
        if self.interval <= 0:
            raise ValueError("interval must be above 0")


class SelfMetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All-in-one writes its own metrics through its own gateway."""

    enabled: bool = True
    interval: Duration = Duration.parse("15s")
    instance: str = ""
    """Value of the instance label; empty: host name and port."""

    def __post_init__(self) -> None:
        if self.interval <= 0:
            raise ValueError("interval must be above 0")


class StatusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `forebay status` looks at besides log and bucket."""

    urls: tuple[str, ...] = ()
    """Consumers to ask, such as http://consumer-0:9203."""

    def __post_init__(self) -> None:
        for url in self.urls:
            check_url(url)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything; every part has a default."""

    broker: BrokerSettings = BrokerSettings()
    bucket: BucketSettings | None = None
    """Thanos' object-storage YAML; without it, `bucket` under --data.dir."""
    segment: SegmentSettings = SegmentSettings()
    consumer: ConsumerSettings = ConsumerSettings()
    gateway: GatewaySettings = GatewaySettings()
    limits: LimitSettings = LimitSettings()
    overrides_file: str = ""
    """Limits of single tenants, read anew when it changes; beside the settings file, where it is not absolute."""
    tenancy: TenancySettings = TenancySettings()
    otlp: OtlpSettings = OtlpSettings()
    ha: HaSettings = HaSettings()
    compactor: CompactorSettings = CompactorSettings()
    query: QuerySettings = QuerySettings()
    external_labels: dict[str, str] = {}
    web: WebSettings = WebSettings()
    auth: AuthSettings = AuthSettings()
    reload: ReloadSettings = ReloadSettings()
    self_metrics: SelfMetricsSettings = SelfMetricsSettings()
    status: StatusSettings = StatusSettings()

    def __post_init__(self) -> None:
        if self.tenancy.label in self.external_labels:
            raise ValueError(f"external_labels must not hold tenancy.label (got {self.tenancy.label!r})")
        kafka = self.broker.kafka
        if self.broker.type == "kafka" and kafka.delivery_timeout >= self.gateway.append_timeout:
            raise ValueError(
                "broker.kafka.delivery_timeout must be below gateway.append_timeout "
                f"(got {kafka.delivery_timeout} and {self.gateway.append_timeout})"
            )
        if self.web.processes > 1:
            if self.broker.type == "embedded":
                raise ValueError(
                    f"web.processes must be 1 on an embedded log, which has one writer (got {self.web.processes}); "
                    "set broker.type to kafka"
                )
            self.share(self.web.processes)
        for name in (self.tenancy.label, *self.external_labels):
            if not _LABEL_NAME.fullmatch(name):
                raise ValueError(f"external labels must be named [a-zA-Z_][a-zA-Z0-9_]* (got {name!r})")
        try:
            check_group(self.consumer.group_id)
        except Fatal as error:
            raise ValueError(f"consumer.group and consumer.replica: {error}") from error
        if self.tenancy.default_tenant:
            _check_tenant("tenancy.default_tenant", self.tenancy.default_tenant)
        _check_users(self.tenancy)
        _check_ha(self.ha, self.limits)

    @property
    def has_ha(self) -> bool:
        """Whether HA pairs of any tenant may be deduplicated."""
        return bool(self.ha.tenants) or self.limits.ha is not None

    def share(self, processes: int) -> "Settings":
        """What each of several gateway processes has, so that together they hold what one would. Raises ValueError."""
        try:
            gateway = msgspec.structs.replace(
                self.gateway, in_flight_bytes=Size(self.gateway.in_flight_bytes // processes)
            )
            kafka = msgspec.structs.replace(
                self.broker.kafka, queue_bytes=Size(self.broker.kafka.queue_bytes // processes)
            )
        except ValueError as error:
            raise ValueError(f"web.processes is {processes}, and shared among them {error}") from error
        web = msgspec.structs.replace(self.web, processes=1)
        broker = msgspec.structs.replace(self.broker, kafka=kafka)
        return msgspec.structs.replace(self, gateway=gateway, broker=broker, web=web)

    @property
    def bounds(self) -> BoundSettings:
        """What the consumer accepts: a little wider than what the gateway does, and every window within it."""
        wider = BoundSettings.wider_than(self.limits.max_age, self.limits.max_future)
        windows = (wider.max_age + wider.max_future) // WINDOW + 2
        return msgspec.structs.replace(wider, max_windows=max(wider.max_windows, windows))


def _check_ha(ha: HaSettings, limits: LimitSettings) -> None:
    if ha.tenants and limits.ha is not None:
        raise ValueError("ha.tenants and limits.ha must not both be set")
    for tenant in () if ha.tenants == "*" else ha.tenants:
        _check_tenant("one of ha.tenants", tenant)


def _check_users(tenancy: TenancySettings) -> None:
    for user, tenants in tenancy.users.items() if isinstance(tenancy.users, dict) else ():
        try:
            check_grant(tenants)
        except BadTenant as error:
            raise ValueError(f"tenancy.users.{user}: {error}") from error


def _check_tenant(name: str, tenant: str) -> None:
    try:
        check_tenant(tenant)
    except BadTenant as error:
        raise ValueError(f"{name} is {error} (got {tenant!r})") from error


NOT_YET = {
    "grpc": "the StoreAPI is not built yet",
}
"""Settings that the design names and this version refuses."""


def host_and_port(address: str) -> tuple[str | None, int]:
    """Reads HOST:PORT, [IPV6]:PORT or :PORT; the host is None for every address. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"not an address such as :9201 or 127.0.0.1:9201 (got {address!r})")
    return host or None, int(port)


def check_url(url: str) -> str:
    """The URL of a role, without a slash at its end. Raises ValueError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError(f"not a URL such as http://127.0.0.1:9203 (got {effective(url)!r})")
    return url.rstrip("/")


def effective(value: Any, name: str = "") -> Any:
    """Settings as plain YAML values in the forms operators write, secrets blanked."""
    if isinstance(value, msgspec.Struct):
        return {field: effective(getattr(value, field), field) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: effective(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [effective(item, name) for item in value]
    if value and (name in _SECTIONS or any(word in name.lower() for word in _SECRETS)):
        return "<secret>"
    if value is None or type(value) in {bool, int, float}:
        return value
    return _LOGIN.sub("://<secret>@", str(value))


_SECTIONS = {"config", "librdkafka"}  # sections that hold secrets, where somebody wrote a text instead of one
_LOGIN = re.compile(r"://[^/@\s]*@")
_SECRETS = ("secret", "password", "token", "key", "sasl.oauthbearer.config")
