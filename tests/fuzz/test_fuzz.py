from pathlib import Path

import pytest

from tests.fuzz import run
from tests.fuzz.mutator import Mutator

SECONDS = 15
# The first run builds every kernel anew.
pytestmark = pytest.mark.timeout(900)
PLANTED = (
    "from wire.planted import read_behind; from tests.fuzz.targets import exactly; read_behind(exactly(bytes({})))"
)


@pytest.mark.slow
def test_no_kernel_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    last_input = tmp_path / "input"
    result = run.fuzz(SECONDS, 1, last_input)
    name, _, rest = last_input.read_bytes().partition(b"\n")
    assert result.returncode == 0, f"{result.stderr[-6000:]}\nlast input: {name!r} {rest.rstrip(bytes(1)).hex()}"
    assert "router: " in result.stdout
    assert "ERROR: AddressSanitizer" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("size", [17, 64, 4096])
def test_a_planted_read_of_one_byte_too_many_is_found(size: int) -> None:
    run.build()
    result = run.sanitized("-c", PLANTED.format(size))
    assert result.returncode == 99
    assert "AddressSanitizer: heap-buffer-overflow" in result.stderr
    assert "read_behind" in result.stderr


def test_a_seed_repeats_its_inputs() -> None:
    corpus = [bytes(range(50)), b"abc"]
    one, two, other = Mutator(1), Mutator(1), Mutator(2)
    inputs = [one.of(corpus) for _ in range(50)]
    assert inputs == [two.of(corpus) for _ in range(50)]
    assert inputs != [other.of(corpus) for _ in range(50)]
    assert len(set(inputs)) > 30
