"""ULIDs, the names of blocks: 48 bits of time in ms, 80 bits of entropy, in Crockford's base 32."""

ENTROPY_BYTES = 10
TIME_MAX = (1 << 48) - 1

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 26


def encode(time_ms: int, entropy: bytes) -> str:
    """26 upper-case characters whose order is that of (time, entropy); ValueError where either does not fit."""
    if not 0 <= time_ms <= TIME_MAX:
        raise ValueError(f"ulid time is out of range: time_ms={time_ms}")
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"ulid entropy must be {ENTROPY_BYTES} bytes: bytes={len(entropy)}")
    number = time_ms << 80 | int.from_bytes(entropy)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def parse(text: str) -> tuple[int, bytes]:
    """(time in ms, entropy); ValueError where `text` is not exactly what `encode` would have written."""
    if not is_ulid(text):
        raise ValueError(f"not a ulid: text={text!r}")
    number = 0
    for character in text:
        number = number << 5 | _VALUES[character]
    return number >> 80, (number & ((1 << 80) - 1)).to_bytes(ENTROPY_BYTES)


def is_ulid(text: str) -> bool:
    """Whether `text` is a ULID as blocks are named: upper case, and its time within 48 bits."""
    return len(text) == _LENGTH and text[0] <= "7" and all(character in _VALUES for character in text)
