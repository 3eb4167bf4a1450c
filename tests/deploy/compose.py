"""docker-compose.yml as Docker would take it: anchors merged, variables at their defaults, short forms read."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from forebay.units import Duration

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z_]+):-([^}]*)\})")


class Mount(NamedTuple):
    source: str
    """A path of the host, a volume's name, or empty for a volume of the container's own."""
    target: str
    read_only: bool


class Port(NamedTuple):
    address: str
    published: int
    target: int


@dataclass(frozen=True)
class Service:
    name: str
    spec: dict[str, Any]

    @property
    def image(self) -> str:
        image: str = self.spec["image"]
        return image

    @property
    def ours(self) -> bool:
        return "build" in self.spec

    @property
    def command(self) -> list[str]:
        return [str(part) for part in self.spec.get("command", [])]

    @property
    def environment(self) -> dict[str, str]:
        environment: dict[str, str] = self.spec.get("environment", {})
        return environment

    @property
    def mounts(self) -> list[Mount]:
        found = []
        for text in self.spec.get("volumes", []):
            first, _, rest = text.partition(":")
            target, _, mode = rest.partition(":")
            found.append(Mount(first, target, mode == "ro") if target else Mount("", first, False))
        return found

    def mounted(self, target: str) -> Path:
        """The host's file behind a path of the container."""
        (source,) = (mount.source for mount in self.mounts if mount.target == target)
        return ROOT / source

    @property
    def ports(self) -> list[Port]:
        parts = (text.split(":") for text in self.spec.get("ports", []))
        return [Port(address, int(published), int(target)) for address, published, target in parts]

    @property
    def health(self) -> list[str]:
        """The command that says whether it is well; empty where there is none."""
        check = self.spec.get("healthcheck", {})
        return [] if check.get("disable") else [str(part) for part in check.get("test", [])[1:]]

    @property
    def depends_on(self) -> dict[str, str]:
        """Service and the condition that it must meet."""
        return {name: each["condition"] for name, each in self.spec.get("depends_on", {}).items()}

    @property
    def replicas(self) -> int:
        replicas: int = self.spec.get("deploy", {}).get("replicas", 1)
        return replicas

    @property
    def grace_ms(self) -> int:
        """Between SIGTERM and SIGKILL; ten seconds where nothing is said."""
        return Duration.parse(self.spec.get("stop_grace_period", "10s"))


def load() -> dict[str, Service]:
    """Every service, with the variables that nobody has set."""
    document = _interpolated(yaml.safe_load(FILE.read_text()))
    return {name: Service(name, spec) for name, spec in document["services"].items()}


def _interpolated(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolated(item) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: match[1] or match[3], value)
    return value
