"""Logs on stderr, as a log shipper finds them."""

import json
import re
import subprocess
import sys

PROGRAM = """
import logging
from forebay.logs import configure_logs, get_logger
configure_logs({level!r}, {form!r})
logger = get_logger("consumer")
logger.debug("hidden")
logger.info("segment published", partition=3, blocks=[1, 2], text='a "b" c', ok=True)
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("failed")
logging.getLogger("aiohttp.server").warning("library says %s", "hello")
logging.getLogger("aiohttp.server").info("hidden")
"""


def lines(level: str, form: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level, form=form)], capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
    return result.stderr.splitlines()


def test_logfmt_has_the_keys_that_shippers_expect_in_order() -> None:
    published, failed, library = lines("info", "logfmt")
    assert re.fullmatch(
        r'ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=info msg="segment published" component=consumer partition=3 '
        r'blocks="\[1, 2\]" text="a \\"b\\" c" ok=true',
        published,
    )
    assert "level=error" in failed
    assert "ZeroDivisionError" in failed  # a traceback stays on its line
    assert 'level=warning msg="library says hello" component=aiohttp.server' in library


def test_json_has_the_same_keys() -> None:
    published = json.loads(lines("info", "json")[0])
    assert {"ts", "level", "msg", "component"} <= set(published)
    assert published["msg"] == "segment published"
    assert published["partition"] == 3
    assert published["component"] == "consumer"


def test_less_severe_lines_are_left_out() -> None:
    assert len(lines("error", "logfmt")) == 1
    assert len(lines("debug", "logfmt")) == 4
