"""HTTP that nobody should send, byte by byte: each with the statuses that are right for it, and no second answer."""

from dataclasses import dataclass

END = b"\r\n"
SMUGGLED = b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(frozen=True)
class Raw:
    """Sent as it stands over a connection of its own."""

    name: str
    data: bytes
    statuses: tuple[int, ...] = (400,)
    """Of which the one answer has one; none where the connection is to be closed without an answer."""

    def __str__(self) -> str:
        return self.name


def post(*headers: bytes, body: bytes = b"", line: bytes = b"POST /api/v1/write HTTP/1.1") -> bytes:
    return END.join((line, b"Host: x", *headers, b"", body))


def get(*headers: bytes, line: bytes = b"GET /-/healthy HTTP/1.1") -> bytes:
    return post(*headers, line=line)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


SMUGGLING = [
    Raw("CL and TE", post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("TE and CL", post(b"Transfer-Encoding: chunked", b"Content-Length: 60", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("two lengths", post(b"Content-Length: 0", b"Content-Length: 4", body=SMUGGLED)),
    Raw("two equal lengths", post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc" + SMUGGLED)),
    Raw("a list of lengths", post(b"Content-Length: 3, 3", body=b"abc" + SMUGGLED)),
    Raw("a length with a sign", post(b"Content-Length: +3", body=b"abc" + SMUGGLED)),
    Raw("a negative length", post(b"Content-Length: -3", body=b"abc" + SMUGGLED)),
    Raw("a hexadecimal length", post(b"Content-Length: 0x3", body=b"abc" + SMUGGLED)),
    Raw("a length with an underscore", post(b"Content-Length: 1_0", body=b"0123456789" + SMUGGLED)),
    Raw("an empty length", post(b"Content-Length:", body=SMUGGLED)),
    Raw("an endless length", post(b"Content-Length: 1" + b"0" * 30, body=b"abc"), (400, 413)),
    Raw("a length beyond 64 bits", post(b"Content-Length: 18446744073709551617", body=b"a"), (400, 413)),
    Raw("an unknown coding", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("chunked not last", post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("chunked twice", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("two codings", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("a blank before the colon", post(b"Content-Length : 3", body=b"abc" + SMUGGLED)),
    Raw("a tab before the colon", post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("a vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("a folded header", post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n" + SMUGGLED)),
    Raw("a folded tenant", post(b"X-Scope-OrgID: a", b"\tb", b"Content-Length: 0")),
    Raw("bare line feeds", post(b"Content-Length: 0").replace(b"\r\n", b"\n") + SMUGGLED),
    Raw("a bare carriage return", post(b"X: a\rContent-Length: 0") + SMUGGLED),
    Raw("carriage returns alone", post(b"Content-Length: 0").replace(b"\r\n", b"\r") + SMUGGLED),
    Raw("a NUL in a value", post(b"X-Scope-OrgID: a\x00b", b"Content-Length: 0")),
    Raw("a NUL in a name", post(b"X\x00Y: a", b"Content-Length: 0")),
    Raw("a name with a blank", post(b"X Y: a", b"Content-Length: 0")),
    Raw("a header without a name", post(b": a", b"Content-Length: 0")),
    Raw("a line without a colon", post(b"Content-Length", b"Content-Length: 0")),
    Raw("two hosts", get(b"Host: y")),
    Raw(
        "HTTP/1.0 and chunked",
        post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED, line=b"POST /api/v1/write HTTP/1.0"),
    ),
]
CHUNKS = [
    Raw("a chunk size that is none", chunked(b"zz\r\nabc\r\n0\r\n\r\n")),
    Raw("a negative chunk size", chunked(b"-1\r\nabc\r\n0\r\n\r\n")),
    Raw("a chunk size with 0x", chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    Raw("a chunk size with a blank", chunked(b"3 \r\nabc\r\n0\r\n\r\n" + SMUGGLED)),
    Raw("a chunk size beyond 64 bits", chunked(b"1" + b"0" * 17 + b"\r\nabc")),
    Raw("a chunk longer than it says", chunked(b"3\r\nabcdef\r\n0\r\n\r\n")),
    Raw("a chunk ended by a line feed", chunked(b"3\nabc\n0\n\n" + SMUGGLED)),
    Raw("a chunk extension with a line feed", chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n")),
    Raw("a long chunk extension", chunked(b"3;" + b"a" * 100_000 + b"\r\nabc\r\n0\r\n\r\n"), (400, 415)),
    Raw("many chunk extensions", chunked(b"1;a=b\r\nx\r\n" * 50_000 + b"0\r\n\r\n")),
    Raw("one byte a chunk", chunked(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")),
    Raw("many trailers", chunked(b"0\r\n" + b"X: a\r\n" * 100_000 + b"\r\n")),
    Raw("a long trailer", chunked(b"0\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n")),
    Raw("a trailer that is a header", chunked(b"0\r\nContent-Length: 4\r\n\r\n" + SMUGGLED)),
    Raw("a body that ends early", chunked(b"ff\r\nabc"), (400, 503)),
]
LINES = [
    Raw("a long path", get(line=b"GET /" + b"a" * 100_000 + b" HTTP/1.1"), (400, 431)),
    Raw("a long query", get(line=b"GET /-/healthy?" + b"a" * 100_000 + b" HTTP/1.1"), (400, 431)),
    Raw("a long header", get(b"X: " + b"a" * 100_000), (400, 431)),
    Raw("a long header name", get(b"X" * 100_000 + b": a"), (400, 431)),
    Raw("many headers", get(*(b"X-%d: a" % n for n in range(5000))), (400, 431)),
    Raw("an endless first line", b"G" * 1_000_000, (400, 431)),
    Raw("an unknown version", get(line=b"GET /-/healthy HTTP/9.9"), (400, 505)),
    Raw("no version", b"GET /-/healthy\r\n\r\n", ()),
    Raw("HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50), (400, 404, 405, 505)),
    Raw("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    Raw("binary", bytes(range(256)) * 40),
    Raw("a method that is none", get(line=b"G\x00T /-/healthy HTTP/1.1")),
    Raw("another's URL", get(line=b"GET http://evil.example/ HTTP/1.1"), (200, 400, 404)),
    Raw("a way up", get(line=b"GET /../../etc/passwd HTTP/1.1"), (400, 404)),
    Raw("a way up, quoted", get(line=b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), (400, 404)),
    Raw("a NUL in the path", get(line=b"GET /-/healthy%00 HTTP/1.1"), (400, 404)),
    Raw("a line break in the path", get(line=b"GET /-/healthy%0d%0aX:%20y HTTP/1.1"), (400, 404)),
    Raw("CONNECT", get(line=b"CONNECT evil.example:443 HTTP/1.1"), (400, 404, 405)),
    Raw("TRACE", get(line=b"TRACE /-/healthy HTTP/1.1"), (405,)),
    Raw(
        "an upgrade to WebSocket",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: YQ=="),
        (200, 400),
    ),
    Raw(
        "an upgrade to HTTP/2",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"),
        (200, 400),
    ),
    Raw("an expectation", post(b"Expect: miracles", b"Content-Length: 0"), (417,)),
]
TENANTS = [
    Raw(f"tenant {tenant!r}", post(b"X-Scope-OrgID: " + tenant, b"Content-Length: 0"))
    for tenant in (
        b"..",
        b"../../etc",
        b"..\\..\\x",
        b"a/b",
        b"%2e%2e",
        b"a%0d%0aX-Injected: y",
        b"a\tb",
        b"a b",
        b"\xff\xfe",
        "ä".encode(),
        b"a|b",
        b"$(id)",
        b"a" * 151,
        b"a" * 8000,
        b'"><script>',
    )
]  # fmt: skip
EVERY = [*SMUGGLING, *CHUNKS, *LINES, *TENANTS]
