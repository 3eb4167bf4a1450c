"""Bearer tokens: a file of their SHA-256, and the tenants that each may speak for. No token is stored anywhere."""

import hashlib
import re
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from forebay.settings_file import read_text
from forebay.strict_yaml import SettingsError, convert, parse_yaml
from gateway.principal import Grant
from gateway.tenant import BadTenant, check_grant

_DIGEST = re.compile("[0-9a-f]{64}")
_NAME = re.compile("[A-Za-z0-9_.-]{1,100}")


class TokenEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    sha256: str
    tenants: Literal["*"] | tuple[str, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("name must be of letters, digits and _.-, 100 at most")
        if not _DIGEST.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 lower-case hexadecimal digits: printf %s TOKEN | sha256sum")
        try:
            check_grant(self.tenants)
        except BadTenant as error:
            raise ValueError(str(error)) from error


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: tuple[TokenEntry, ...] = ()

    def __post_init__(self) -> None:
        for what in ("name", "sha256"):
            values = [getattr(token, what) for token in self.tokens]
            if len(set(values)) != len(values):
                raise ValueError(f"tokens must not share a {what}")


class Token(NamedTuple):
    name: str
    grant: Grant


class Tokens(dict[bytes, Token]):
    """Tokens by their SHA-256, so that finding one takes no comparison of secrets."""

    def find(self, token: str) -> Token | None:
        return self.get(hashlib.sha256(token.encode(errors="surrogateescape")).digest())


def load_tokens(file: str) -> Tokens:
    """Blocks. Raises SettingsError, which tells nothing that stands in the file but names."""
    if not file:
        return Tokens()
    try:
        document = convert(parse_yaml(read_text(Path(file), "bearer"), secret=True), _Document, secret=True)
    except SettingsError as error:
        raise SettingsError(f"bearer file: {error.args[0]}", hint="see docs/security.md") from None
    return Tokens({bytes.fromhex(token.sha256): Token(token.name, tuple(token.tenants)) for token in document.tokens})
