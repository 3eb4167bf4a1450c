import platform
import subprocess
import sys

import pytest

_ROUNDS = 50
_PIECES = f"""
import resource, sys
from forebay import heap
if sys.argv[1] == "keep":
    assert heap.keep_freed() and heap.keep_freed()
def round():
    return [bytearray(1 << 20) for _ in range(4)]
for _ in range(5):
    round()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({_ROUNDS}):
    round()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells glibc what to keep")
def test_memory_that_was_freed_is_not_fetched_again() -> None:
    """Of four pieces of a mebibyte, given back and asked for again, not a page comes from the system."""
    faults = {
        what: int(
            subprocess.run([sys.executable, "-c", _PIECES, what], check=True, capture_output=True, text=True).stdout
        )
        for what in ("keep", "leave")
    }
    assert faults["keep"] < 4 * 256  # of one round
    assert faults["leave"] > 4 * 256
