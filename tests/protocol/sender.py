"""A sender over HTTP that tells all of the answer."""

import http.client
from typing import NamedTuple
from urllib.parse import urlsplit

import cramjam

from tests.protocol.entry import V2, Series, encode

WRITTEN = tuple(f"X-Prometheus-Remote-Write-{kind}-Written" for kind in ("Samples", "Histograms", "Exemplars"))


class Answer(NamedTuple):
    status: int
    text: str
    written: tuple[int, ...] | None
    """Samples, histograms, exemplars; None where no header says so."""


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def post(url: str, body: bytes, headers: dict[str, str], tenant: str = "") -> Answer:
    """Sends these headers and no others that mean anything."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        connection.putrequest("POST", "/api/v1/write", skip_accept_encoding=True)
        named = {"X-Scope-OrgID": tenant} if tenant else {}
        for name, value in {"Content-Length": str(len(body)), **named, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        found = [answer.headers[name] for name in WRITTEN]
        written = None if None in found else tuple(map(int, found))
        assert written is not None or found == [None] * 3
        return Answer(answer.status, answer.read().decode(), written)
    finally:
        connection.close()


def send(url: str, protocol: str, *entries: Series, tenant: str = "") -> Answer:
    """As a sender of this protocol does."""
    version = "2.0.0" if protocol == V2 else "0.1.0"
    headers = {"Content-Type": protocol, "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": version}
    return post(url, snappy(encode(protocol, *entries)), headers, tenant)
