from pathlib import Path

import pytest

from tests.fuzz import exchange, run, sanitized
from tests.fuzz.mutator import Mutator

SECONDS = 15
# The first run builds every kernel anew.
pytestmark = pytest.mark.timeout(900)
PLANTED = "from wire.planted import read_behind; from tests.fuzz.entry import exactly; read_behind(exactly(bytes({})))"


@pytest.mark.slow
def test_no_kernel_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    last_input = tmp_path / "input"
    result = run.fuzz(SECONDS, 1, last_input)
    name, _, rest = last_input.read_bytes().partition(b"\n")
    assert result.returncode == 0, f"{result.stderr[-6000:]}\nlast input: {name!r} {rest.rstrip(bytes(1)).hex()}"
    assert "router: " in result.stdout
    assert "merge blocks: " in result.stdout
    assert "ERROR: AddressSanitizer" not in result.stderr


@pytest.mark.slow
def test_no_request_crashes_hangs_or_is_answered_with_5xx(tmp_path: Path) -> None:
    last_input = tmp_path / "input"
    result = run.fuzz(300, 1, last_input, requests=20_000)
    name, _, rest = last_input.read_bytes().partition(b"\n")
    assert result.returncode == 0, f"{result.stderr[-6000:]}\nlast input: {name!r} {rest.rstrip(bytes(1)).hex()}"
    for kind in ("router: ", "router 2.0: ", "otlp: ", "request, headers: ", "request, every byte: "):
        assert kind in result.stdout


def test_an_answer_of_5xx_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = exchange.request(exchange.V1, b"\x00")
    gateway = exchange.Exchange()
    assert gateway(whole) == [204]

    def fail(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("gateway.write.read_body", fail)
    with pytest.raises(AssertionError, match="answered with 500"):
        gateway(whole)
    gateway.close()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sanitized")
    sanitized.assemble(directory)
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 16, 64, 4096])
def test_a_planted_read_of_one_byte_too_many_is_found(tree: Path, size: int) -> None:
    result = sanitized.run(tree, "-c", PLANTED.format(size))
    assert result.returncode == 99
    assert "AddressSanitizer: heap-buffer-overflow" in result.stderr
    assert "read_behind" in result.stderr


@pytest.mark.slow
def test_what_was_built_is_not_built_again(tree: Path, tmp_path: Path) -> None:
    assert tree.is_dir()
    (built, *_) = sorted(sanitized.CACHE.glob("asan-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    times = {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.is_file()}
    sanitized.assemble(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.is_file()} == times
    assert len(list(tmp_path.rglob("*.so"))) > 20


def test_a_seed_repeats_its_inputs() -> None:
    corpus = [bytes(range(50)), b"abc"]
    one, two, other = Mutator(1), Mutator(1), Mutator(2)
    inputs = [one.of(corpus) for _ in range(50)]
    assert inputs == [two.of(corpus) for _ in range(50)]
    assert inputs != [other.of(corpus) for _ in range(50)]
    assert len(set(inputs)) > 30


def test_a_kernel_that_is_gone_takes_what_was_made_of_it_along(tmp_path: Path) -> None:
    names = ("gone.pyx", "gone.pxd", "gone.c", "gone.abi.so", "kept.pyx", "kept.pxd", "kept.c", "kept.abi.so")
    for package in ("wire", "tsdb", "consumers", "query"):
        (tmp_path / package).mkdir()
        for name in names:
            (tmp_path / package / name).write_bytes(b"")
    sanitized._write({Path("wire", "kept.pyx"): b""}, tmp_path)
    assert [path.name for path in (tmp_path / "wire").iterdir()] == ["kept.pyx"]
    assert list((tmp_path / "tsdb").iterdir()) == []
