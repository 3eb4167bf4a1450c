"""One GET of another role's server: with the user and password that its URL holds, which are told to nobody else."""

import base64
import urllib.parse
import urllib.request

_TIMEOUT_SECONDS = 5


def without_login(url: str) -> str:
    """The URL as it may be shown."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def request_of(url: str) -> urllib.request.Request:
    """The login of a URL such as https://user:password@host:9203/path, percent-encoded there, goes into a header."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(without_login(url))  # noqa: S310 - its scheme was checked with the settings
    if parts.username is not None:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    return request


def get(url: str) -> bytes:
    """Blocks for a bounded time. Raises OSError."""
    with urllib.request.urlopen(request_of(url), timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - as above
        body: bytes = response.read()
        return body
