"""Overrides of a gateway that runs: they go with their file, and with nothing else."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.client import call
from tests.forebay.server import Role, run
from tests.gateway.requests import body

NARROW = "tenants: {default-tenant: {max_label_pairs: 1}}"


def now_body(**labels: str) -> bytes:
    return body(({"__name__": "up", **labels}, [(time.time_ns() // 1_000_000, 1.0)]))


def gateway(tmp_path: Path, overrides: str, **settings: Any) -> Role:
    (tmp_path / "overrides.yaml").write_text(overrides)
    given = {"overrides_file": "overrides.yaml", "reload": {"interval": "50ms"}, **settings}
    return Role("gateway", tmp_path, given, "--web.enable-lifecycle")


def status(role: Role) -> int:
    """Of a write of one series with two labels."""
    headers = {"Content-Type": "application/x-protobuf"}
    return call("POST", f"{role.url}/api/v1/write", now_body(job="a"), headers).status


def until(role: Role, expected: int) -> None:
    deadline = time.monotonic() + 20
    while (found := status(role)) != expected:
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.05)


def test_overrides_are_read_at_the_start_and_when_their_file_changes(tmp_path: Path) -> None:
    with gateway(tmp_path, NARROW) as role:
        role.ready()
        assert status(role) == 400
        new = tmp_path / "new.yaml"
        new.write_text("tenants: {}")
        new.rename(tmp_path / "overrides.yaml")
        until(role, 204)


def test_a_link_that_is_swapped_is_a_change(tmp_path: Path) -> None:
    """As Kubernetes does with a ConfigMap: file -> ..data/file, ..data -> a directory of its own."""
    for name, text in (("1", NARROW), ("2", "tenants: {}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "o.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "o.yaml").symlink_to("..data/o.yaml")
    with gateway(tmp_path, "", overrides_file="o.yaml") as role:
        role.ready()
        assert status(role) == 400
        (tmp_path / "..new").symlink_to("2")
        (tmp_path / "..new").replace(tmp_path / "..data")
        until(role, 204)


def test_a_bad_file_changes_nothing_and_says_why(tmp_path: Path) -> None:
    with gateway(tmp_path, NARROW, reload={"interval": "1h"}) as role:
        role.ready()
        (tmp_path / "overrides.yaml").write_text("tenants: {team-a: {max_labels: 3}}")
        code, text = role.post("/-/reload")
        assert code == 500
        assert b"overrides.yaml: tenants.team-a.max_labels: unknown setting" in text
        assert status(role) == 400
        assert b'forebay_config_last_reload_successful{config="overrides"} 0.0' in role.get("/metrics")[1]
        (tmp_path / "overrides.yaml").write_text("tenants: {}")
        assert role.post("/-/reload")[0] == 200
        assert status(role) == 204
        assert b'forebay_config_last_reload_successful{config="overrides"} 1.0' in role.get("/metrics")[1]
    assert "could not reload" in role.log.read_text()


@pytest.mark.slow
def test_reloads_under_load_refuse_nothing_and_leave_the_last_in_force(tmp_path: Path) -> None:
    wide = "tenants:\n" + "\n".join(f"  t{n}: {{max_label_pairs: {30 + n % 500}, shard_size: 2}}" for n in range(1000))
    with gateway(tmp_path, wide, reload={"interval": "1h"}) as role:
        role.ready()
        answers: list[int] = []
        ended = threading.Event()

        def send() -> None:
            while not ended.is_set():
                answers.append(status(role))

        senders = [threading.Thread(target=send) for _ in range(3)]
        for sender in senders:
            sender.start()
        try:
            for text in (wide + "\n  more: {}\n", wide, f"{wide}\n  default-tenant: {{max_label_pairs: 2}}\n"):
                (tmp_path / "overrides.yaml").write_text(text)
                assert role.post("/-/reload")[0] == 200
        finally:
            ended.set()
            for sender in senders:
                sender.join()
        assert set(answers) == {204}
        assert len(answers) > 10
        (tmp_path / "overrides.yaml").write_text(f"{wide}\n  default-tenant: {{max_label_pairs: 1}}\n")
        assert role.post("/-/reload")[0] == 200
        assert status(role) == 400


@pytest.mark.parametrize("command", ["gateway", "check-config"])
def test_a_start_with_a_bad_file_is_2_and_names_the_tenant(tmp_path: Path, command: str) -> None:
    (tmp_path / "overrides.yaml").write_text("tenants: {team-a: {max_age: 8d}}")
    (tmp_path / "f.yaml").write_text("overrides_file: overrides.yaml")
    arguments = [f"--config.file={tmp_path / 'f.yaml'}", f"--data.dir={tmp_path / 'data'}"]
    if command == "gateway":
        arguments.append("--web.listen-address=127.0.0.1:0")
    result = run(command, *arguments)
    assert result.returncode == 2
    assert "tenants.team-a.max_age: must not be above limits.max_age" in result.stderr
    assert "Traceback" not in result.stderr


def test_check_config_counts_tenants(tmp_path: Path) -> None:
    (tmp_path / "overrides.yaml").write_text("tenants: {a: {}, b: {}}")
    (tmp_path / "f.yaml").write_text("overrides_file: overrides.yaml")
    result = run("check-config", f"--config.file={tmp_path / 'f.yaml'}")
    assert result.returncode == 0
    assert "2 tenants have limits of their own" in result.stdout
    assert f"overrides_file: {tmp_path}/overrides.yaml" in result.stdout
