from typing_extensions import Buffer

CANONICAL_REASONS: tuple[str, ...]
"""What `canonical_check` may answer, by the codes of canonical.pxd."""

def canonical_check(data: Buffer) -> str:
    """Empty if `data` is canonical labels and nothing else, or why it is not."""
