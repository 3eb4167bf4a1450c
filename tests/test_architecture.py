"""The dependency direction of DESIGN section 7, read from the source of modules and kernels."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "wire": set(),
    "tsdb": set(),
    "broker": set(),
    "bucket": set(),
    "gateway": {"wire", "broker"},
    "consumers": {"wire", "broker", "bucket", "tsdb"},
    "compactor": {"bucket", "tsdb"},
    "query": {"wire", "bucket", "tsdb"},
    "forebay": {"wire", "tsdb", "broker", "bucket", "gateway", "consumers", "compactor", "query"},
}
FLOOR = {"forebay.errors", "forebay.clock", "forebay.units"}
_KERNEL_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", re.MULTILINE)


def imports_of(source: Path) -> set[str]:
    """Dotted names of modules that a file imports; of `from a import b`, both a and a.b."""
    if source.suffix in {".pyx", ".pxd"}:
        return {first or second for first, second in _KERNEL_IMPORT.findall(source.read_text())}
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def strays(package: str) -> list[str]:
    found = []
    for source in sorted((ROOT / package).rglob("*")):
        if source.suffix not in {".py", ".pyi", ".pyx", ".pxd"}:
            continue
        for name in imports_of(source):
            top = name.split(".")[0]
            if top not in MAY_IMPORT or top == package or name in FLOOR or top in MAY_IMPORT[package]:
                continue
            found.append(f"{source.relative_to(ROOT)} imports {name}")
    return found


def test_packages_depend_downwards_only() -> None:
    assert [stray for package in MAY_IMPORT for stray in strays(package)] == []


def test_the_floor_imports_nothing_of_the_house() -> None:
    for module in FLOOR:
        source = ROOT / (module.replace(".", "/") + ".py")
        assert {name.split(".")[0] for name in imports_of(source)} & set(MAY_IMPORT) == set()


def test_a_stray_import_is_seen(tmp_path: Path) -> None:
    """The reader of imports sees every form that a stray could take."""
    module = tmp_path / "stray.py"
    module.write_text("from gateway import app\nimport consumers.worker\n")
    kernel = tmp_path / "stray.pyx"
    kernel.write_text("from gateway.app cimport x\ncimport broker.log\n    import query.heads\n")
    assert imports_of(module) == {"gateway", "consumers.worker"}
    assert imports_of(kernel) == {"gateway.app", "broker.log", "query.heads"}


def test_every_package_stands_in_the_table() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"}
    assert packages == set(MAY_IMPORT)


def test_files_stay_readable() -> None:
    """One noun per file, split before 450 lines."""
    sources = [path for package in [*MAY_IMPORT, "tests"] for path in (ROOT / package).rglob("*.py*")]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if path.suffix in {".py", ".pyx", ".pxd", ".pyi"} and (lines := path.read_text().count("\n")) > 450
    }
    assert long == {}


def decodes_by_type(source: Path) -> list[int]:
    """Lines with `msgspec.json.decode(..., type=...)`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "decode"
        and any(keyword.arg == "type" for keyword in node.keywords)
    ]


def test_decoders_are_made_at_import() -> None:
    """msgspec makes a type ready at its first use, and crashes where two threads do so at once: seen as consumers that
    died of SIGSEGV when they were given several partitions."""
    sources = [source for package in MAY_IMPORT for source in (ROOT / package).rglob("*.py")]
    assert sources
    assert [f"{source.relative_to(ROOT)}:{line}" for source in sources for line in decodes_by_type(source)] == []
