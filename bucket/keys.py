"""What may be a key. Checked by every implementation, so that no store accepts what another refuses."""

from forebay.errors import InvalidData

_MAX_KEY = 1024  # bytes; S3's own bound
_MAX_PART = 255  # bytes; a file name's bound


class InvalidKey(InvalidData):
    """This can be no object's key in any store."""


def check_key(key: str) -> None:
    """Raises InvalidKey: an object's key is relative, without empty, `.` or `..` parts, printable, UTF-8."""
    _check(key, key.split("/"))


def check_prefix(prefix: str) -> None:
    """As `check_key`, but may be empty, and its last part may be cut anywhere."""
    *parts, last = prefix.split("/")
    _check(prefix, parts + ([last] if last.strip(".") else []))


def _check(key: str, parts: list[str]) -> None:
    if not key.isprintable() or "\\" in key:
        raise InvalidKey(f"object key has a control character or a backslash key={key!r}")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidKey(f"object key is not utf-8 key={key!r}") from None
    if size > _MAX_KEY:
        raise InvalidKey(f"object key is too long key={key[:64]!r} bytes={size} limit={_MAX_KEY}")
    for part in parts:
        if part in ("", ".", ".."):
            raise InvalidKey(f"object key has an empty or relative part key={key!r}")
        if len(part.encode()) > _MAX_PART:
            raise InvalidKey(f"object key has a part that is too long key={key[:64]!r} limit={_MAX_PART}")
