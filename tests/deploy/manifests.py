"""The Kubernetes manifests as `kubectl apply --kustomize deploy/kubernetes` would send them."""

import subprocess
from dataclasses import dataclass
from typing import Any

import yaml

from tests.deploy.compose import ROOT
from tests.peers.recipes import Recipe

DIRECTORY = ROOT / "deploy" / "kubernetes"


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet of one of our roles."""

    document: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.document["metadata"]["name"]
        return name

    @property
    def role(self) -> str:
        return self.name.removeprefix("forebay-")

    @property
    def pod(self) -> dict[str, Any]:
        pod: dict[str, Any] = self.document["spec"]["template"]["spec"]
        return pod

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.document["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.pod["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def variables(self) -> dict[str, str]:
        """What the settings may refer to, each with a value as a pod would have it."""
        return {each["name"]: f"{self.name}-0" for each in self.container["env"]}


class Manifests:
    def __init__(self, kustomize: Recipe) -> None:
        command = [str(kustomize.program("kustomize")), "build", str(DIRECTORY)]
        rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        self.documents: list[dict[str, Any]] = list(yaml.safe_load_all(rendered))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.of(kind) if each["metadata"]["name"] == name)
        return found

    @property
    def workloads(self) -> dict[str, Workload]:
        """By role."""
        found = [Workload(document) for kind in ("Deployment", "StatefulSet") for document in self.of(kind)]
        return {workload.role: workload for workload in found}
