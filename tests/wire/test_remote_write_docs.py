import ast
import re
from pathlib import Path

from wire.write_request import REASONS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "remote-write.md").read_text()


def test_every_reason_is_documented_in_the_order_of_its_check() -> None:
    table = PAGE.partition("## Reasons")[2].partition("A native histogram is valid if")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == REASONS


def test_every_documented_reason_has_a_meaning_and_a_remedy() -> None:
    rows = re.findall(r"^\| `\w+` \|(.*)\|(.*)\|$", PAGE, re.MULTILINE)
    assert len(rows) == len(REASONS)
    assert all(cell.strip() for row in rows for cell in row)


def test_the_documented_limits_are_the_routers_defaults() -> None:
    stub = ast.parse((ROOT / "wire" / "write_request.pyi").read_text())
    (init,) = (each for each in ast.walk(stub) if isinstance(each, ast.FunctionDef) and each.name == "__init__")
    defaults = {
        each.arg: ast.unparse(default)
        for each, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
        if default
    }
    assert defaults["max_record_bytes"] == "900 * 1024"
    assert "| one record of the log | 900 KiB;" in PAGE
    assert f"| refusals named in an answer | {defaults['max_examples']} |" in PAGE
