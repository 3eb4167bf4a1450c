"""A request's headers: what decides about it before its body is looked at, from bytes that anybody may send."""

import contextlib
from typing import TYPE_CHECKING, Any, cast

from multidict import CIMultiDict

from forebay.bearer import Tokens
from forebay.credentials import Basic, Bearer, read_credentials
from forebay.errors import InvalidData
from gateway.negotiation import negotiate
from gateway.principal import PRINCIPAL, Principal
from gateway.settings import TenancySettings
from gateway.tenant import TenantReader, check_tenant
from tests.fuzz.entry import Entry

if TYPE_CHECKING:
    from aiohttp import web

_NAMES = ("Content-Type", "Content-Encoding", "X-Scope-OrgID", "THANOS-TENANT", "Authorization")
_READER = TenantReader(TenancySettings())
_TOKENS = Tokens()
_GRANTS = ((), (("team-a", "team-b"),), (("*",), ("team-a",)))


class _Request(dict[Any, Any]):
    """What is read of a request before its body."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.headers: CIMultiDict[str] = CIMultiDict()
        for line in lines:
            number, _, value = line.partition("=")
            self.headers.add(_NAMES[len(number) % len(_NAMES)], value)


def _headers(data: memoryview) -> None:
    """Lines are headers; as many bytes as stand before the first = number the name. Bytes as a server decodes them."""
    lines = bytes(data).decode("utf-8", "surrogateescape").split("\n")
    request = _Request(lines)
    with contextlib.suppress(InvalidData):
        negotiate(request.headers.get("Content-Type"), request.headers.get("Content-Encoding"))
    for grants in _GRANTS:
        request[PRINCIPAL] = Principal(grants=grants)
        with contextlib.suppress(InvalidData):
            tenant = _READER.read(cast("web.BaseRequest", request))
            check_tenant(tenant)
            if not Principal(grants=grants).allows(tenant):
                raise AssertionError(f"a tenant that is not granted: {tenant!r}")
    match read_credentials(request.headers.getall("Authorization", [])):
        case Bearer(token):
            if not token or _TOKENS.find(token) is not None:
                raise AssertionError("a token that nobody has")
        case Basic(user, _):
            if ":" in user:
                raise AssertionError("a user who cannot be")


def entries() -> dict[str, Entry]:
    lines = {
        b"": (
            b"application/x-protobuf;proto=io.prometheus.write.v2.Request",
            b"application/json; a=b",
            b'a/b; c="d\\"e"',
        ),
        b"x": (b"snappy", b"gzip", b"identity"),
        b"xx": (b"team-a", b"team-b", b"team-c", b"../x"),
        b"xxx": (b"team-a", b"default-tenant"),
        b"xxxx": (b"Basic YWxpY2U6d29uZGVyOmxhbmQ=", b"Bearer a-token-of-team-a", b"Digest a=b"),
    }
    single = [number + b"=" + value for number, values in lines.items() for value in values]
    together = [b"\n".join(each) for each in zip(single[::2], single[1::2], strict=False)]
    return {"headers": Entry(_headers, [*single, *together, b"\n".join(single)])}
