"""Canonical labels, shown to Python: for control paths and for the tests that hold them to a slow oracle."""

from libc.stdint cimport uint8_t

from wire.canonical cimport canonical_check as _check

CANONICAL_REASONS = ("", "malformed", "empty", "unordered", "not_utf8", "nameless")


def canonical_check(const uint8_t[::1] data not None):
    return CANONICAL_REASONS[_check(&data[0], <unsigned int>data.shape[0]) if data.shape[0] else _check(b"", 0)]
