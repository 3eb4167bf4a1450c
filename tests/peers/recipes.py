"""How each real peer is had: from Debian's packages, a Go module or Maven, by name, cached outside the clone.

`python -m tests.peers` sets up what is missing. A recipe either leaves a whole directory or nothing: it works in a
temporary one beside it and renames.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("FOREBAY_PEERS") or Path.home() / ".cache" / "forebay" / "peers")


class PeerMissingError(Exception):
    """This peer is not here and could not be had; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """One peer: the directory under the cache, its programs relative to that, and how it comes there."""

    directory: str
    programs: dict[str, str]
    make: Callable[[Path], None]

    def program(self, name: str) -> Path:
        return CACHE / self.directory / self.programs[name]

    def present(self) -> bool:
        return all(self.program(name).exists() for name in self.programs)

    def install(self) -> None:
        """Makes the peer if it is not there; raises PeerMissingError."""
        if self.present():
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{self.directory}-") as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            try:
                self.make(made)
            except (OSError, subprocess.CalledProcessError) as error:
                detail = getattr(error, "stderr", None) or str(error)
                raise PeerMissingError(f"{self.directory}: {detail.strip()[-500:]}") from error
            target = CACHE / self.directory
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)


def _run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        check=True,
        text=True,
        capture_output=True,
    )
    return result.stdout


def _debian(package: str) -> Callable[[Path], None]:
    """Unpacks a Debian package without installing it; lists and archives live in the cache, so no root is needed."""

    def make(target: Path) -> None:
        apt = CACHE / "apt"
        options = [f"-oDir::State={apt}/state", f"-oDir::Cache={apt}/cache", "-oAPT::Sandbox::User="]
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (apt / folder).mkdir(parents=True, exist_ok=True)
        _run("apt-get", "-qq", *options, "update")
        _run("apt-get", "-qq", *options, "download", package, cwd=target)
        (archive,) = target.glob("*.deb")
        _run("dpkg-deb", "-x", archive, target)
        archive.unlink()

    return make


def _go_module(module: str, *packages: str, tags: str = "") -> Callable[[Path], None]:
    """Builds programs of a module whose go.mod has replace directives, which `go install` refuses."""

    def make(target: Path) -> None:
        described = json.loads(_run("go", "mod", "download", "-json", module, GOFLAGS="-mod=mod"))
        source = target / "source"
        shutil.copytree(described["Dir"], source)
        for path in [source, *source.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        (source / "go.work").unlink(missing_ok=True)
        _run("go", "build", f"-tags={tags}", "-o", f"{target}/", *packages, cwd=source, GOWORK="off")
        shutil.rmtree(source)

    return make


def _go_beside(module: str, program: Path) -> Callable[[Path], None]:
    """Builds a program of ours inside a module, with the versions that the module's go.mod asks for."""

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            beside = Path(scratch) / program.name
            shutil.copytree(program, beside)
            described = json.loads(_run("go", "mod", "download", "-json", module, GOFLAGS="-mod=mod"))
            source = Path(scratch) / "source"
            shutil.copytree(described["Dir"], source)
            for path in [source, *source.rglob("*")]:
                path.chmod(path.stat().st_mode | 0o200)
            (source / "go.work").unlink(missing_ok=True)
            beside.rename(source / "cmd" / program.name)
            _run("go", "build", "-o", f"{target}/", f"./cmd/{program.name}", cwd=source, GOWORK="off")

    return make


def _go_program(package: str) -> Callable[[Path], None]:
    """Builds one program at its version, as its module's own go.mod says."""

    def make(target: Path) -> None:
        _run("go", "install", package, GOBIN=str(target))

    return make


_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>forebay</groupId>
  <artifactId>peer</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


def _maven(*artifacts: str) -> Callable[[Path], None]:
    """Copies what `group:artifact:version` and all they depend on need at run time into `libs`."""

    def make(target: Path) -> None:
        if not shutil.which("mvn") or not shutil.which("java"):
            raise PeerMissingError("needs Java 17 and Maven: apt-get install openjdk-17-jre-headless maven")
        lines = "\n".join(_DEPENDENCY.format(*artifact.split(":")) for artifact in artifacts)
        pom = target / "pom.xml"
        pom.write_text(_POM.format(dependencies=lines))
        copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        libs = f"-DoutputDirectory={target / 'libs'}"
        try:
            _run("mvn", "-q", "-B", "-f", pom, copy, "-DincludeScope=runtime", libs)
        except subprocess.CalledProcessError as error:
            # Maven tells its errors on stdout.
            raise PeerMissingError(f"mvn: {error.stdout.strip()[-1000:]}") from error

    return make


def _go_tests(module: str, name: str) -> Callable[[Path], None]:
    """Builds the tests of a module, where they are what it is for."""

    def make(target: Path) -> None:
        described = json.loads(_run("go", "mod", "download", "-json", module, GOFLAGS="-mod=mod"))
        source = target / "source"
        shutil.copytree(described["Dir"], source)
        for path in [source, *source.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        _run("go", "test", "-c", "-o", target / name, ".", cwd=source, GOWORK="off", GOFLAGS="-mod=mod")
        shutil.rmtree(source)

    return make


def _go_files(module: str, *paths: str) -> Callable[[Path], None]:
    """Takes files out of a module's source, where what it publishes is not a program."""

    def make(target: Path) -> None:
        described = json.loads(_run("go", "mod", "download", "-json", module, GOFLAGS="-mod=mod"))
        for path in paths:
            shutil.copyfile(Path(described["Dir"]) / path, target / Path(path).name)

    return make


PEERS = {
    "prometheus-2.42": Recipe(
        "prometheus-2.42",
        {"prometheus": "usr/bin/prometheus", "promtool": "usr/bin/promtool"},
        _debian("prometheus"),
    ),
    "node-exporter": Recipe(
        "node-exporter-1.5",
        {"node-exporter": "usr/bin/prometheus-node-exporter"},
        _debian("prometheus-node-exporter"),
    ),
    "nginx": Recipe("nginx-1.22", {"nginx": "usr/sbin/nginx"}, _debian("nginx")),
    "compose-spec": Recipe(
        "compose-spec-2.16.2",
        {"compose-spec": "cmd"},
        _go_program("github.com/compose-spec/compose-go/v2/cmd@v2.16.2"),
    ),
    "kustomize": Recipe(
        "kustomize-5.7.1",
        {"kustomize": "kustomize"},
        _go_program("sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"),
    ),
    "keda": Recipe(
        "keda-2.21.0",
        {"scaledobjects": "keda.sh_scaledobjects.yaml", "scalers": "scalers-schema.json"},
        _go_files(
            "github.com/kedacore/keda/v2@v2.21.0",
            "config/crd/bases/keda.sh_scaledobjects.yaml",
            "schema/generated/scalers-schema.json",
        ),
    ),
    "victoria-metrics": Recipe(
        "victoria-metrics-1.79",
        {"victoria-metrics": "usr/bin/victoria-metrics", "vmagent": "usr/bin/vmagent"},
        _debian("victoria-metrics"),
    ),
    "prometheus-3.15": Recipe(
        "prometheus-3.15",
        {"prometheus": "prometheus", "promtool": "promtool"},
        _go_module("github.com/prometheus/prometheus@v0.315.0", "./cmd/prometheus", "./cmd/promtool"),
    ),
    "prometheus-relabel": Recipe(
        "prometheus-relabel-3.15",
        {"relabel": "relabel"},
        _go_beside("github.com/prometheus/prometheus@v0.315.0", Path(__file__).parent / "relabel"),
    ),
    "remote-write-compliance": Recipe(
        "remote-write-compliance-2026-08-06",
        {"receiver": "receiver.test"},
        _go_tests(
            "github.com/prometheus/compliance/remotewrite/receiver@v0.0.0-20260806071727-67b8327a2e93", "receiver.test"
        ),
    ),
    "versitygw": Recipe(
        "versitygw-1.8.0",
        {"versitygw": "versitygw"},
        _go_program("github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
    ),
    "kafka-4.1": Recipe(
        "kafka-4.1.0",
        {"server": "libs/kafka_2.13-4.1.0.jar"},
        _maven("org.apache.kafka:kafka_2.13:4.1.0", "org.slf4j:slf4j-simple:1.7.36"),
    ),
    "minio": Recipe(
        "minio-2026-02-12",
        {"minio": "minio"},
        _go_module("github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c", "."),
    ),
}

BENCH_PEERS = {
    "thanos": Recipe(
        "thanos-0.42.3",
        {"thanos": "thanos"},
        # Without the tag it starts, and panics at the first write.
        _go_module("github.com/thanos-io/thanos@v0.42.3", "./cmd/thanos", tags="slicelabels"),
    ),
    "mimir": Recipe(
        "mimir-2026-04-23",
        {"mimir": "mimir"},
        _go_module("github.com/grafana/mimir@v1.3.1-0.20260423142704-aced80d74930", "./cmd/mimir"),
    ),
}
"""Only the benches need these, which take minutes to build: they are set up when they are named."""
