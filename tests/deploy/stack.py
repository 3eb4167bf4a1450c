"""Runs docker-compose.yml without Docker: the same programs, flags, variables and files, as processes on this machine.

What a container's network and file system decide is put in their place: `name:port` becomes an address of this machine,
a mounted file its copy with such addresses, a volume a directory.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from forebay.flags import LISTEN
from tests.deploy import compose
from tests.deploy.compose import ROOT, Service
from tests.deploy.name_server import NameServer
from tests.peers.process import Process, free_port
from tests.peers.recipes import Recipe

_PLACE = re.compile(r"(?<!\$)\b(?:forebay-)?([a-z][a-z-]*[a-z])(?:-(\d+))?:(\d{4,5})\b")
_JAVA_ONLY = {"KAFKA_HEAP_OPTS"}


class Stack:
    """Each `start_*` gives a process that runs, and that its caller ends."""

    def __init__(self, directory: Path, peer: Callable[[str], Recipe]) -> None:
        self.services = compose.load()
        self.names: dict[str, list[str]] = {"gateway": []}
        """Of containers that run, as Docker's name server would give them."""
        self._directory = directory
        self._peer = peer
        self._ports: dict[tuple[str, int, int], int] = {}
        self._gateways = _port_of_all(["127.0.0.1", *(f"127.0.0.{10 + n}" for n in range(1, 5))])

    def address(self, name: str, port: int, replica: int = 1) -> str:
        """Of a container's port on this machine. Gateways have one port, as containers do, and hosts of their own."""
        if (name, port) == ("gateway", 9201):
            return f"127.0.0.{10 + replica}:{self._gateways}"
        key = name, replica, port
        if key not in self._ports:
            self._ports[key] = free_port()
        return f"127.0.0.1:{self._ports[key]}"

    def placed(self, text: str) -> str:
        """With every `name:port` of a service replaced."""

        def place(match: re.Match[str]) -> str:
            name, replica, port = match.groups()
            return self.address(name, int(port), int(replica or 1)) if name in self.services else match[0]

        return _PLACE.sub(place, text)

    def file(self, service: Service, target: str, change: Callable[[str], str] = lambda text: text) -> Path:
        """The copy of a mounted file."""
        copy = self._own(service.name) / Path(target).name
        copy.write_text(change(self.placed(service.mounted(target).read_text())))
        return copy

    def volume(self, name: str, replica: int = 1) -> Path:
        path = self._own(name) / f"volume-{replica}"
        path.mkdir(exist_ok=True)
        return path

    def start_kafka(self) -> Process:
        """By the image's rule: KAFKA_LOG_DIRS is the property log.dirs."""
        service = self.services["kafka"]
        text = "".join(f"{name}={value}\n" for name, value in properties_of(service).items())
        text = re.sub(r"://:(\d+)", lambda match: f"://{self.address('kafka', int(match[1]))}", self.placed(text))
        file = self._own("kafka") / "server.properties"
        (mount,) = service.mounts
        file.write_text(text.replace(mount.target, str(self.volume("kafka"))))
        java = shutil.which("java")
        assert java is not None
        libraries = self._peer("kafka-4.1").program("server").parent
        command = [java, service.environment["KAFKA_HEAP_OPTS"], "-XX:+UseParallelGC", "-cp", f"{libraries}/*"]
        tool = "kafka.tools.StorageTool", "format", "-t", service.environment["CLUSTER_ID"], "-c", str(file)
        subprocess.run([*command, *tool], check=True, capture_output=True)
        return Process([*command, "kafka.Kafka", file], self._log("kafka")).start()

    def start_object_store(self) -> Process:
        service = self.services["object-store"]
        (mount,) = service.mounts
        flags = [flag.replace("=:7070", f"={self.address('object-store', 7070)}") for flag in service.command]
        flags = [str(self.volume("object-store")) if flag == mount.target else flag for flag in flags]
        program = self._peer("versitygw").program("versitygw")
        return Process([program, *flags], self._log("object-store"), service.environment).start()

    def settings(self, name: str, change: Callable[[str], str] = lambda text: text) -> Path:
        return self.file(self.services[name], "/etc/forebay/forebay.yaml", change)

    def prepare(self) -> subprocess.CompletedProcess[str]:
        """Runs the one-shot to its end."""
        service = self.services["prepare"]
        program, script = service.spec["entrypoint"]
        assert (program, service.command) == ("python", ["/etc/forebay/forebay.yaml"])
        command = [sys.executable, str(service.mounted(script)), str(self.settings("prepare"))]
        environment = os.environ | service.environment | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def start_role(self, name: str, replica: int = 1, change: Callable[[str], str] = lambda text: text) -> Process:
        """One container of `forebay`, with its own data directory."""
        service = self.services[name]
        here = {"/etc/forebay/forebay.yaml": str(self.settings(name, change))}
        here["/var/lib/forebay"] = str(self.volume(name, replica))
        flags = [_swapped(flag, here) for flag in service.command]
        flags.append(f"--web.listen-address={self.address(name, int(LISTEN[name][1:]), replica)}")
        command = [sys.executable, "-m", "forebay", *flags]
        environment = service.environment | {"PYTHONPATH": str(ROOT)}
        if name == "gateway":
            self.names["gateway"].append(f"127.0.0.{10 + replica}")
        return Process(command, self._log(f"{name}-{replica}"), environment).start()

    def healthy(self, name: str, replica: int = 1) -> bool:
        """Runs the container's own health check; the image's program is in `deploy`."""
        program, url = self.services[name].health
        url = re.sub(r"127\.0\.0\.1:(\d+)", lambda match: self.address(name, int(match[1]), replica), url)
        return (
            subprocess.run([ROOT / "deploy" / f"{program}.py", url], capture_output=True, check=False).returncode == 0
        )

    def start_proxy(self, name_server: NameServer) -> Process:
        service = self.services["proxy"]

        def here(text: str) -> str:
            for old, new in (
                ("resolver 127.0.0.11 ", f"resolver {name_server.address} "),
                ("listen 9201;", f"listen {self.address('proxy', 9201)};"),
                ("http://$gateway:9201;", f"http://$gateway:{self._gateways};"),
            ):
                assert text.count(old) == 1, old
                text = text.replace(old, new)
            return text

        conf = str(self.file(service, "/etc/nginx/nginx.conf", here))
        flags = [_swapped(flag, {"/etc/nginx/nginx.conf": conf}) for flag in service.command[1:]]
        flags[flags.index("/tmp/")] = f"{self.volume('proxy')}/"
        if os.geteuid() == 0:  # a worker of another user could not enter a directory of tests
            flags[-1] += " user root;"
        return Process([self._peer("nginx").program("nginx"), *flags], self._log("proxy")).start()

    def start_prometheus(self, name: str) -> Process:
        """The agent, or the reader."""
        service = self.services[name]
        target = next(mount.target for mount in service.mounts if mount.source.endswith(".yaml"))
        here = {target: str(self.file(service, target, self._found)), "/prometheus": str(self.volume(name))}
        flags = [_swapped(flag, here) for flag in service.command]
        flags.append(f"--web.listen-address={self.address(name, 9090)}")
        return Process([self._peer("prometheus-3.15").program("prometheus"), *flags], self._log(name)).start()

    def _found(self, text: str) -> str:
        """What Prometheus would find by name is named."""
        document: dict[str, Any] = yaml.safe_load(text)
        for job in document.get("scrape_configs", []):
            for found in job.pop("dns_sd_configs", []):
                (name,) = found["names"]
                replicas = range(1, self.services[name].replicas + 1)
                job["static_configs"] = [{"targets": [self.address(name, found["port"], each) for each in replicas]}]
        return json.dumps(document)

    def _own(self, name: str) -> Path:
        path = self._directory / name
        path.mkdir(exist_ok=True)
        return path

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"


def properties_of(kafka: Service) -> dict[str, str]:
    """What the image makes of its variables."""
    names = [name for name in kafka.environment if name.startswith("KAFKA_") and name not in _JAVA_ONLY]
    return {name.removeprefix("KAFKA_").lower().replace("_", "."): kafka.environment[name] for name in names}


def _swapped(flag: str, here: dict[str, str]) -> str:
    name, equals, value = flag.partition("=")
    return f"{name}={here.get(value, value)}" if equals else here.get(flag, flag)


def _port_of_all(hosts: list[str]) -> int:
    """A port that is free on every one of these hosts."""
    while True:
        port = free_port()
        sockets = [socket.socket() for _ in hosts]
        try:
            for each, host in zip(sockets, hosts, strict=True):
                each.bind((host, port))
        except OSError:
            continue
        else:
            return port
        finally:
            for each in sockets:
                each.close()
