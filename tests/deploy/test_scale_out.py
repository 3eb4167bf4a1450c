"""docs/scale-out.md does what it says: its settings and commands run as they stand; all-in-one's data goes along."""

import json
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from forebay.flags import LISTEN, Flags, parse_flags
from forebay.settings_file import parse_settings
from tests.bucket.s3_servers import ACCESS_KEY, SECRET_KEY, S3Server, versitygw_server
from tests.deploy.compose import ROOT
from tests.e2e.forebay import ForebayServer
from tests.faults.client import Client
from tests.peers.kafka import KafkaBroker
from tests.peers.process import Process, free_port
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow]
PAGE = (ROOT / "docs" / "scale-out.md").read_text()
KEYS = {"OBJECT_STORE_ACCESS_KEY": ACCESS_KEY, "OBJECT_STORE_SECRET_KEY": SECRET_KEY}
SETTINGS, READERS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_every_command_of_the_page_is_one() -> None:
    lines = re.findall(r"\bforebay ([a-z-]+(?: --[a-z.-]+(?:=[^\s`]+)?)+)", PAGE)
    assert len(lines) >= len(COMMANDS) + 4
    for line in lines:
        parse_flags(shlex.split(line))


def test_the_readers_of_the_page_are_its_consumers() -> None:
    flags = [parse_flags(shlex.split(line)[1:]) for line in COMMANDS]
    ports = [each.listen_address or LISTEN["consumer"] for each in flags if each.command == "consumer"]
    asked = [urlsplit(each["url"]) for each in yaml.safe_load(READERS)["remote_read"]]
    assert [f":{url.port}" for url in asked] == ports
    assert {url.path for url in asked} == {"/api/v1/read"}


class Deployment:
    """The page's processes, with this machine's addresses in place of its."""

    def __init__(self, directory: Path, kafka: KafkaBroker, topic: str, s3: S3Server, bucket: str) -> None:
        settings: dict[str, Any] = yaml.safe_load(SETTINGS)
        settings["broker"]["kafka"] |= {"bootstrap_servers": kafka.bootstrap, "topic": topic}
        settings["broker"]["kafka"]["create_topic"]["partitions"] = 8
        settings["bucket"]["config"] |= {"endpoint": s3.endpoint, "bucket": bucket}
        settings |= {"segment": {"interval": "2s", "grace": "200ms"}, "consumer": {"group": topic}}
        self.settings = settings
        self.file = directory / "forebay.yaml"
        self.file.write_text(yaml.safe_dump(settings))
        self._directory = directory
        self._ports: dict[str, int] = {}

    def port(self, address: str) -> int:
        """Of this machine, for one of the page's."""
        return self._ports.setdefault(address, free_port())

    def url(self, address: str) -> str:
        return f"http://127.0.0.1:{self.port(address)}"

    def _command(self, line: str) -> tuple[list[str], Flags]:
        words = [
            re.sub(r"http://localhost(:\d+)", lambda match: self.url(match[1]), word) for word in shlex.split(line)
        ]
        flags = parse_flags(words[1:])
        words = [word for word in words[1:] if not word.startswith(("--config.file=", "--data.dir=", "--web."))]
        words += [f"--config.file={self.file}", f"--data.dir={self._directory / flags.data_dir}"]
        if address := flags.listen_address or LISTEN.get(flags.command):
            words.append(f"--web.listen-address=127.0.0.1:{self.port(address)}")
        return [sys.executable, "-m", "forebay", *words], flags

    def start(self, line: str) -> Process:
        command, flags = self._command(line)
        process = Process(command, self._directory / f"{flags.data_dir.name}.log", KEYS | {"PYTHONPATH": str(ROOT)})
        return process.start()

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        command, _ = self._command(line)
        environment = KEYS | {"PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def published(self) -> bool:
        """Every record is in a segment that is done, as any consumer sees it."""
        with urllib.request.urlopen(f"{self.url(':9203')}/api/v1/status", timeout=10) as answer:
            rows = json.loads(answer.read())["partitions"]
        return len(rows) == 8 and all(row["manifest_end"] == row["end_offset"] for row in rows)


@pytest.fixture
def s3(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path / "versitygw") as server:
        yield server


def up(deployment: Deployment, stack: ExitStack) -> list[Process]:
    """All that the page starts, ready."""
    processes = []
    for line in COMMANDS:
        command = shlex.split(line)[1]
        if command in LISTEN:
            processes.append(deployment.start(line))
            stack.callback(processes[-1].kill)
        elif command == "check-config":
            checked = deployment.run(line)
            assert checked.returncode == 0, checked.stderr
    for process, address in zip(processes, (":9201", ":9203", ":9213", ":9204"), strict=True):
        process.wait_ready(f"{deployment.url(address)}/-/ready")
    return processes


@pytest.mark.parametrize("held", ["on a local disk", "in S3"])
def test_all_in_one_moves_to_kafka_and_s3(
    held: str, s3: S3Server, kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    bucket = s3.make_bucket()
    new = Deployment(tmp_path, kafka, re.sub(r"[^a-zA-Z0-9]", "-", topic_name), s3, bucket)
    old: dict[str, Any] = {"segment": new.settings["segment"], "self_metrics": {"enabled": False}}
    if held == "in S3":
        old["bucket"] = {"type": "S3", "config": s3.config(bucket)}
    with ExitStack() as stack:
        all_in_one = stack.enter_context(ForebayServer(tmp_path / "old", old))
        all_in_one.ready()
        before = Client(all_in_one.url, "team-a")
        for _ in range(3):
            assert before.send(series=50).status == 204

        processes = up(new, stack)
        after = Client(new.url(":9201"), "team-a")
        for _ in range(3):
            assert after.send(series=50).status == 204
        all_in_one.wait_published()
        assert all_in_one.stop() == 0
        if held == "on a local disk":
            copy(all_in_one.bucket, s3, bucket)
        deadline = time.monotonic() + 120
        while not new.published():
            assert time.monotonic() < deadline, processes[1].tail()
            time.sleep(0.3)

        told = new.run(next(line for line in COMMANDS if " status " in line))
        assert told.returncode == 0, told.stdout + told.stderr
        assert before.promised
        assert after.promised
        for address in (":9203", ":9213"):  # all is published: each answers for the whole bucket
            assert Client(new.url(address), "team-a").read(__name__="faults") == before.promised | after.promised
        audited = new.run("forebay audit --config.file=forebay.yaml --deep --json")
        assert audited.returncode == 0, audited.stdout + audited.stderr
        assert len({row["log_id"] for row in json.loads(audited.stdout)["partitions"]}) == 2
        for process in processes:
            assert process.stop() == 0


def copy(directory: Path, s3: S3Server, bucket: str) -> None:
    """`aws s3 sync`."""
    for file in directory.rglob("*"):
        if file.is_file():
            s3.clients.patient.put_object(Bucket=bucket, Key=str(file.relative_to(directory)), Body=file.read_bytes())


def test_the_settings_of_the_page_are_ours() -> None:
    settings = parse_settings(SETTINGS, KEYS)
    assert settings.bucket is not None
    assert settings.bucket.s3().access_key == ACCESS_KEY
