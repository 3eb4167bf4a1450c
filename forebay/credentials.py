"""What an Authorization header holds."""

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple


class Basic(NamedTuple):
    user: str
    password: bytes


class Bearer(NamedTuple):
    token: str


Credentials = Basic | Bearer | None
"""None: there are none, more than one, or they are of no kind that is known."""


def read_credentials(headers: Sequence[str]) -> Credentials:
    """Of every Authorization header that a request has. Never raises."""
    if len(headers) != 1:
        return None
    scheme, _, given = headers[0].partition(" ")
    given = given.strip(" \t")
    match scheme.lower():
        case "bearer":
            return Bearer(given) if given else None
        case "basic":
            return _basic(given)
    return None


def _basic(given: str) -> Basic | None:
    try:
        user, colon, password = base64.b64decode(given, validate=True).partition(b":")
        return Basic(user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
