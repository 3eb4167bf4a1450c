"""How much freed memory the C library's heap keeps for what comes next.

Every request needs a few pieces of memory as large as its body. By default glibc gives them back to the system at once,
and the system clears each page anew for the next request.
"""

import contextlib
import ctypes
from typing import Final

MIB: Final = 1 << 20
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_freed(most: int = 16 * MIB, largest: int = 2 * MIB) -> bool:
    """Keeps up to `most` bytes at the end of a heap, and pieces up to `largest` in it. May be called twice.

    False where the C library is not glibc, and nothing has changed.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        return all((mallopt(_M_TRIM_THRESHOLD, most), mallopt(_M_MMAP_THRESHOLD, largest)))
    return False
