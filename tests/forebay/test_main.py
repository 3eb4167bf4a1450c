"""The command's exit codes and what it says on the way."""

import re
import socket
from pathlib import Path

import pytest
import yaml

from forebay.flags import parse_flags
from forebay.settings import Settings, effective
from tests.forebay.server import run


def usage(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """Exit code and all that was printed."""
    with pytest.raises(SystemExit) as ended:
        parse_flags(list(arguments))
    printed = capsys.readouterr()
    return ended.value.code, printed.out + printed.err


def test_help_is_0_and_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = usage(capsys, "--help")
    assert code == 0
    for word in ("all-in-one", "gateway", "consumer", "check-config", "exit codes", "could not start"):
        assert word in text


def test_help_of_a_role_shows_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(usage(capsys, "all-in-one", "--help")[1].split())
    for default in ("(default: :9201)", "(default: data)", "(default: info)", "(default: logfmt)"):
        assert default in text


def test_version_is_0() -> None:
    assert re.fullmatch(r"forebay \S+\n", run("--version").stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("gateway", "--nonsense"),
        ("gateway", "--log.level=loud"),
        ("audit", "x"),
        ("gateway", "--data=abbreviated"),
        ("gateway", "--web.listen-address=nowhere"),
    ],
)
def test_wrong_flags_are_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, text = usage(capsys, *arguments)
    assert code == 2
    assert "usage:" in text


def test_wrong_flags_end_the_process_with_2() -> None:
    result = run("gateway", "--web.listen-address=nowhere")
    assert result.returncode == 2
    assert "not an address such as :9201" in result.stderr


def test_wrong_settings_are_2_with_the_path_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("segment: {interval: soon}")
    for command in ("all-in-one", "check-config"):
        result = run(command, f"--config.file={file}", f"--data.dir={tmp_path / 'data'}")
        assert result.returncode == 2
        assert result.stderr.startswith("forebay: segment.interval: not a duration such as 30m or 1h30m (got 'soon')")
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_check_config_prints_the_settings_in_effect(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("segment: {interval: 90s}")
    result = run("check-config", f"--config.file={file}")
    assert result.returncode == 0
    shown = yaml.safe_load(result.stdout)
    assert shown["segment"]["interval"] == "1m30s"
    assert shown["gateway"]["max_body_bytes"] == "32MiB"
    assert shown.keys() == effective(Settings()).keys()


def test_an_address_in_use_is_3_with_a_hint_in_the_last_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("all-in-one", f"--data.dir={tmp_path}", f"--web.listen-address={address}")
    assert result.returncode == 3
    last = result.stderr.splitlines()[-1]
    assert "cannot listen" in last
    assert 'hint="choose another with --web.listen-address"' in last
    assert "Traceback" not in result.stderr


def test_a_bucket_that_cannot_be_made_is_3(tmp_path: Path) -> None:
    (tmp_path / "bucket").write_text("a file where the directory should be")
    result = run("all-in-one", f"--data.dir={tmp_path}", "--web.listen-address=127.0.0.1:0")
    assert result.returncode == 3
    assert "hint=" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_log_that_cannot_be_made_is_3(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the directory should be")
    result = run("gateway", f"--data.dir={tmp_path}", "--web.listen-address=127.0.0.1:0")
    assert result.returncode == 3
    assert "hint=" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_kafka_setting_that_does_not_exist_is_3(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("broker: {type: kafka, kafka: {librdkafka: {sasl.usrname: forebay}}}")
    result = run("gateway", f"--config.file={file}", f"--data.dir={tmp_path}", "--web.listen-address=127.0.0.1:0")
    assert result.returncode == 3
    assert "No such configuration property" in result.stderr
    assert "hint=" in result.stderr.splitlines()[-1]
