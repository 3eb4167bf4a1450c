"""docker-compose.yml against our own settings, flags, ports and routes; tests/deploy/test_compose_run.py runs it."""

import graphlib
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from forebay.flags import LISTEN, Flags, parse_flags
from forebay.settings import Settings, host_and_port
from forebay.settings_file import load_settings
from forebay.units import Size
from tests.deploy import compose
from tests.deploy.compose import ROOT, Service
from tests.deploy.dockerfile import stages
from tests.peers.recipes import Recipe

SERVICES = compose.load()
ROLES = [name for name in SERVICES if name in LISTEN]
PORTS = {name: host_and_port(LISTEN[name])[1] for name in ROLES} | {
    "kafka": 9092,
    "object-store": 7070,
    "proxy": 9201,
    "prometheus": 9090,
    "reader": 9090,
    "grafana": 3000,
}
"""Where each service listens inside its container."""
_PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*@sha256:[0-9a-f]{64}")
_OTHERS = re.compile(r"\b(?:forebay-)?([a-z][a-z-]*[a-z])(?:-\d+)?:(\d{4,5})\b")


def flags_of(service: Service) -> Flags:
    return parse_flags(service.command)


def settings_of(service: Service) -> Settings:
    """As the container reads them: its own file, and no variable but its own."""
    return load_settings(service.mounted(str(flags_of(service).config_file)), service.environment)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_image_is_pinned(service: Service) -> None:
    if service.ours:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert service.image == f"forebay:{version}"
        assert (ROOT / service.spec["build"] / "Dockerfile").exists()
    else:
        assert _PINNED.fullmatch(service.image), service.image


def test_an_image_that_is_not_pinned_is_seen() -> None:
    for image in ("kafka", "kafka:latest", "kafka:4.1.0", "kafka@sha256:" + "0" * 64, "kafka:4@sha256:" + "0" * 64):
        assert not _PINNED.fullmatch(image)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_mounted_file_exists_and_is_read_only(service: Service) -> None:
    named = yaml.safe_load(compose.FILE.read_text())["volumes"]
    for mount in service.mounts:
        if mount.source.startswith("."):
            assert (ROOT / mount.source).is_file(), mount
            assert mount.read_only, mount
        else:
            assert not mount.source or mount.source in named, mount


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_with_flags_and_settings_that_are_ours(role: str) -> None:
    flags = flags_of(SERVICES[role])
    assert flags.command == role
    settings = settings_of(SERVICES[role])
    assert settings.broker.type == "kafka"
    assert settings.broker.kafka.create_topic is not None
    assert settings.bucket is not None
    assert settings.bucket.kind == "S3"
    # The root is read-only: what is written lies on a volume, or in memory.
    assert SERVICES[role].spec["read_only"] is True
    assert str(flags.data_dir) in {mount.target for mount in SERVICES[role].mounts}


@pytest.mark.parametrize("name", [*ROLES, "prepare"])
def test_each_variable_is_given_where_it_is_read_and_nowhere_else(name: str) -> None:
    text = SERVICES[name].mounted("/etc/forebay/forebay.yaml").read_text()
    assert set(re.findall(r"\$\{([A-Z_]+)\}", text)) == set(SERVICES[name].environment)


def test_the_object_store_has_the_keys_that_the_settings_use() -> None:
    bucket = settings_of(SERVICES["consumer"]).bucket
    assert bucket is not None
    store = SERVICES["object-store"].environment
    assert (bucket.s3().access_key, bucket.s3().secret_key) == (store["ROOT_ACCESS_KEY"], store["ROOT_SECRET_KEY"])


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_health_check_asks_its_own_port(service: Service) -> None:
    if service.name == "prepare":
        assert not service.health  # it ends, and its exit code is waited for
        return
    asked = [part for part in service.health if re.search(r":\d+", part)]
    (port,) = {int(port) for part in asked for port in re.findall(r":(\d+)", part)}
    assert port == PORTS[service.name]


@pytest.mark.parametrize("role", ROLES)
def test_health_checks_of_roles_ask_for_what_is_there(role: str, answer_of: Callable[[str, str], int]) -> None:
    program, url = SERVICES[role].health
    assert f"/usr/local/bin/{program}" in stages(ROOT / "Dockerfile")[-1].last("COPY")
    assert answer_of(role, urlsplit(url).path) == 200


def test_ports_are_published_on_this_machine_alone() -> None:
    published = {service.name: service.ports for service in SERVICES.values() if service.ports}
    assert set(published) == {"proxy", "reader", "grafana"}
    for name, ports in published.items():
        assert {(port.address, port.target) for port in ports} == {("127.0.0.1", PORTS[name])}


def test_each_waits_for_what_can_come_true() -> None:
    graph = {name: service.depends_on for name, service in SERVICES.items()}
    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(SERVICES)
    for service in SERVICES.values():
        for name, condition in service.depends_on.items():
            other = SERVICES[name]
            if condition == "service_healthy":
                assert other.health, (service.name, name)
            else:
                assert (condition, other.spec["restart"]) == ("service_completed_successfully", "no")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_drain_before_it_is_killed(role: str) -> None:
    settings = settings_of(SERVICES[role])
    longest = settings.web.drain_delay + settings.web.shutdown_timeout
    longest += {"consumer": settings.consumer.drain_timeout, "gateway": settings.gateway.append_timeout}.get(role, 0)
    assert SERVICES[role].grace_ms > longest


def hosts() -> Iterator[tuple[str, str, int]]:
    """Every `name:port` in the files that are mounted: where, name, port."""
    for service in SERVICES.values():
        for mount in service.mounts:
            if mount.source.endswith(".yaml"):
                for name, port in _OTHERS.findall((ROOT / mount.source).read_text()):
                    yield mount.source, name, int(port)


def test_hosts_and_ports_in_the_mounted_files_are_those_of_services() -> None:
    found = list(hosts())
    assert len(found) > 8
    assert [each for each in found if PORTS.get(each[1]) != each[2]] == []


def test_the_reader_and_the_status_ask_every_consumer() -> None:
    reads = yaml.safe_load(SERVICES["reader"].mounted("/etc/prometheus/reader.yaml").read_text())["remote_read"]
    number = range(1, SERVICES["consumer"].replicas + 1)
    urls = [f"http://forebay-consumer-{n}:9203" for n in number]
    assert [each["url"] for each in reads] == [f"{url}/api/v1/read" for url in urls]
    assert list(settings_of(SERVICES["gateway"]).status.urls) == urls
    assert yaml.safe_load(compose.FILE.read_text())["name"] == "forebay"  # of which those names are made


def test_the_proxy_lets_through_what_the_gateway_takes() -> None:
    conf = SERVICES["proxy"].mounted("/etc/nginx/nginx.conf").read_text()
    settings = settings_of(SERVICES["gateway"])
    (cap,) = re.findall(r"client_max_body_size (\d+)m;", conf)
    assert Size(int(cap) << 20) == settings.gateway.max_compressed_bytes
    (wait,) = re.findall(r"proxy_read_timeout (\d+)s;", conf)
    assert int(wait) > settings.gateway.append_timeout.seconds
    (fresh,) = re.findall(r"resolver \S+ valid=(\d+)s", conf)
    assert int(fresh) < settings.web.drain_delay.seconds
    assert "set $gateway gateway;" in conf
    assert f"proxy_pass http://$gateway:{PORTS['gateway']};" in conf
    assert f"listen {PORTS['proxy']};" in conf


def test_the_image_listens_where_the_roles_do() -> None:
    build, final = stages(ROOT / "Dockerfile")
    assert build.base == final.base
    assert _PINNED.fullmatch(final.base)
    assert {int(port) for port in final.last("EXPOSE").split()} == {PORTS[name] for name in ROLES}
    flags = parse_flags(json.loads(final.last("CMD")))
    assert flags.command == "all-in-one"
    assert final.last("VOLUME") == str(flags.data_dir) == str(flags_of(SERVICES["consumer"]).data_dir)
    health = json.loads(final.last("HEALTHCHECK").partition("CMD ")[2])
    assert urlsplit(health[1]).port == host_and_port(LISTEN["all-in-one"])[1]
    assert final.last("ENTRYPOINT") == '["forebay"]'


def test_the_image_has_no_compiler_and_no_root() -> None:
    build, final = stages(ROOT / "Dockerfile")
    assert "gcc" in " ".join(build.all("RUN"))
    assert not re.search(r"gcc|apt-get|pip ", " ".join(final.all("RUN")))
    assert final.last("USER") == "10001:10001"
    names = [name for name, _ in final.instructions]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name == "RUN")
    assert "--require-hashes" in " ".join(build.all("RUN"))


def test_the_builder_gets_the_packages_and_nothing_built_here() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {f"!{package.partition('.')[0]}/" for package in packages} <= set(ignored)
    assert {"*", "**/*.so", "**/*.c"} <= set(ignored)
    copied = [part for each in stages(ROOT / "Dockerfile") for part in each.all("COPY") if "--from" not in part]
    for source in (word for part in copied for word in part.split()[:-1] if not word.startswith("--")):
        assert source == "." or f"!{source}" in ignored, source


@pytest.mark.peer("compose-spec")
def test_the_reference_loader_takes_the_file_and_reads_it_as_we_do(peer: Callable[[str], Recipe]) -> None:
    loader = peer("compose-spec").program("compose-spec")
    result = subprocess.run(
        [str(loader), "-format=json", str(compose.FILE)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    theirs: dict[str, Any] = json.loads(result.stdout)["services"]
    assert set(theirs) == set(SERVICES)
    for name, service in SERVICES.items():
        assert (theirs[name].get("command") or []) == service.command
        assert theirs[name].get("environment", {}) == service.environment
        assert {mount["target"] for mount in theirs[name].get("volumes", [])} == {
            each.target for each in service.mounts
        }
        assert theirs[name].get("depends_on", {}).keys() == service.depends_on.keys()


@pytest.mark.peer("compose-spec")
def test_the_reference_loader_refuses_an_unknown_key(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {a: {image: b, comand: [c]}}\n")
    loader = peer("compose-spec").program("compose-spec")
    assert subprocess.run([loader, file], capture_output=True, check=False).returncode != 0


@pytest.mark.peer("prometheus-3.15")
@pytest.mark.parametrize("name", ["prometheus", "reader"])
def test_promtool_takes_the_configurations(name: str, peer: Callable[[str], Recipe]) -> None:
    (file,) = (ROOT / mount.source for mount in SERVICES[name].mounts if mount.source.endswith(".yaml"))
    agent = ["--agent"] if "--agent" in SERVICES[name].command else []
    command = [str(peer("prometheus-3.15").program("promtool")), "check", "config", *agent, str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
