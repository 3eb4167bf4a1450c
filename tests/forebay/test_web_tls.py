"""TLS: whose certificate is taken, what a bad handshake costs, and that a change drops no connection."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from forebay.strict_yaml import SettingsError
from tests.bucket.certificates import Authority, Certificate
from tests.forebay.access import LARGE, Guarded, guarded, hashed

GET = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
MUTUAL = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca/authority.crt"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "ca")
    authority.sign("localhost")
    return authority


def config(**more: Any) -> dict[str, Any]:
    return {"tls_server_config": {"cert_file": "ca/localhost.crt", "key_file": "ca/localhost.key"} | more}


async def connect(server: Guarded, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("localhost", server.port, ssl=context)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len("healthy\n"))
    return head.decode().split("\r\n")[0]


def serial(writer: asyncio.StreamWriter) -> str:
    number: str = writer.get_extra_info("peercert")["serialNumber"]
    return number


def cut(server: Guarded, reason: str) -> float | None:
    return server.registry.get_sample_value("forebay_web_connections_cut_total", {"reason": reason})


async def handshakes_cut(server: Guarded, count: int) -> None:
    async with asyncio.timeout(10):
        while (cut(server, "handshake") or 0) < count:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", ["TLS12", "TLS13"])
async def test_tls_is_spoken_in_the_versions_that_are_allowed(
    tmp_path: Path, authority: Authority, version: str
) -> None:
    async with guarded(tmp_path, {}, web=config(min_version=version, max_version=version)) as server:
        trust = server.trust()
        assert (await server.ask(tls=trust)).status == 200
        _, writer = await connect(server, trust)
        assert writer.get_extra_info("ssl_object").version() == version.replace("TLS1", "TLSv1.")
        writer.close()
        other = ssl.TLSVersion.TLSv1_3 if version == "TLS12" else ssl.TLSVersion.TLSv1_2
        trust.minimum_version = trust.maximum_version = other
        with pytest.raises(aiohttp.ClientError):
            await server.ask(tls=trust)
        await handshakes_cut(server, 1)


async def test_a_cipher_that_is_not_listed_is_not_spoken(tmp_path: Path, authority: Authority) -> None:
    chosen = config(max_version="TLS12", cipher_suites=["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"])
    async with guarded(tmp_path, {}, web=chosen) as server:
        trust = server.trust()
        _, writer = await connect(server, trust)
        assert writer.get_extra_info("cipher")[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
        writer.close()
        trust.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(aiohttp.ClientError):
            await server.ask(tls=trust)


@pytest.fixture
async def mutual(tmp_path: Path, authority: Authority) -> AsyncIterator[Guarded]:
    settings = {"tenancy": {"certificate_field": "organizationalUnit"}}
    async with guarded(tmp_path, settings, web=config(**MUTUAL)) as server:
        yield server


async def test_a_certificate_names_its_owners_tenants(mutual: Guarded, authority: Authority) -> None:
    trust = mutual.trust(authority.sign("agent", organization="corp", units=("team-a", "team-b")))
    found = (await mutual.ask(tls=trust)).who
    assert found["tenant"] == "team-a"
    assert found["certificate"] == (
        "commonName=agent,organizationName=corp,organizationalUnitName=team-a,organizationalUnitName=team-b"
    )
    assert (await mutual.ask(tls=trust, tenant="team-b")).who["tenant"] == "team-b"
    assert (await mutual.ask(tls=trust, tenant="team-c")).status == 403


async def test_a_certificate_without_the_field_or_with_no_tenant_in_it_speaks_for_none(
    mutual: Guarded, authority: Authority
) -> None:
    for name, units in (("bare", ()), ("spaced", ("Team A / B",))):
        trust = mutual.trust(authority.sign(name, units=units))
        assert (await mutual.ask(tls=trust)).status == 403
        assert (await mutual.ask(tls=trust, tenant="team-a")).status == 403


async def test_no_certificate_and_a_strangers_are_no_connection(
    tmp_path: Path, mutual: Guarded, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "stranger").sign("agent", units=("team-a",))
    for count, client in enumerate((None, stranger), start=1):
        with pytest.raises(aiohttp.ClientError):
            await mutual.ask(tls=mutual.trust(client))
        await handshakes_cut(mutual, count)


async def test_who_may_but_does_not_show_a_certificate_speaks_for_no_tenant(
    tmp_path: Path, authority: Authority
) -> None:
    settings = {"tenancy": {"certificate_field": "commonName"}}
    optional = MUTUAL | {"client_auth_type": "VerifyClientCertIfGiven"}
    async with guarded(tmp_path, settings, web=config(**optional)) as server:
        assert (await server.ask(tls=server.trust(), tenant="team-a")).status == 403
        assert (await server.ask(tls=server.trust())).status == 403
        assert (await server.ask(tls=server.trust(authority.sign("team-a")))).who["tenant"] == "team-a"


async def test_certificate_and_user_must_both_allow_a_tenant(tmp_path: Path, authority: Authority) -> None:
    settings = {"tenancy": {"certificate_field": "commonName", "users": {"alice": ["a", "b"], "proxy": "*"}}}
    users = {"basic_auth_users": {"alice": hashed("pw"), "proxy": hashed("pw")}}
    async with guarded(tmp_path, settings, web=config(**MUTUAL) | users) as server:
        trusts = {name: server.trust(authority.sign(name)) for name in ("a", "c")}
        assert (await server.ask(tls=trusts["a"])).status == 401
        assert (await server.ask(tls=trusts["a"], login=("alice", "pw"))).who["tenant"] == "a"
        assert (await server.ask(tls=trusts["a"], login=("alice", "pw"), tenant="b")).status == 403
        assert (await server.ask(tls=trusts["c"], login=("alice", "pw"))).status == 403
        assert (await server.ask(tls=trusts["c"], login=("proxy", "pw"))).who["tenant"] == "c"


@pytest.mark.parametrize(
    ("san", "welcome"), [("agent.example", True), ("127.0.0.9", True), ("::1", True), ("x", False)]
)
async def test_only_allowed_alternative_names_may_stay(
    tmp_path: Path, authority: Authority, *, san: str, welcome: bool
) -> None:
    names = ["agent.example", "127.0.0.9", "::1"]
    async with guarded(tmp_path, {}, web=config(**MUTUAL, client_allowed_sans=names)) as server:
        trust = server.trust(authority.sign(san))
        if welcome:
            assert (await server.ask(tls=trust)).status == 200
        else:
            with pytest.raises(aiohttp.ClientError):
                await server.ask(tls=trust)
        assert bool(cut(server, "certificate")) != welcome  # a client may try again by itself


def test_a_field_of_certificates_that_nobody_verifies_is_refused(tmp_path: Path, authority: Authority) -> None:
    async def start() -> None:
        async with guarded(tmp_path, {"tenancy": {"certificate_field": "commonName"}}, web=config()):
            pass

    with pytest.raises(SettingsError, match="needs client certificates that are verified"):
        asyncio.run(start())


async def test_a_new_certificate_is_shown_to_new_connections_and_drops_no_old_one(
    tmp_path: Path, authority: Authority
) -> None:
    async with guarded(tmp_path, {}, web=config()) as server:
        old = await connect(server, server.trust())
        assert await exchange(*old) == "HTTP/1.1 200 OK"
        authority.sign("localhost")  # in the same files
        server.access.reload()
        new = await connect(server, server.trust())
        assert serial(new[1]) != serial(old[1])
        for connection in (old, new):
            assert await exchange(*connection) == "HTTP/1.1 200 OK"
            connection[1].close()


async def test_a_new_authority_of_clients_takes_the_old_ones_place(tmp_path: Path, authority: Authority) -> None:
    async with guarded(tmp_path, {}, web=config(**MUTUAL)) as server:
        old = server.trust(authority.sign("agent"))
        assert (await server.ask(tls=old)).status == 200
        other = Authority(tmp_path / "other")
        server.write("web.yml", config(**MUTUAL | {"client_ca_file": "other/authority.crt"}))
        server.access.reload()
        assert Path("other/authority.crt") in [file.relative_to(tmp_path) for file in server.access.files()[1:]]
        with pytest.raises(aiohttp.ClientError):
            await server.ask(tls=old)
        assert (await server.ask(tls=server.trust(other.sign("agent")))).status == 200


@pytest.mark.parametrize("damage", ["key of another", "half a file", "no TLS"])
async def test_a_bad_certificate_leaves_the_old_one_in_force(tmp_path: Path, authority: Authority, damage: str) -> None:
    async with guarded(tmp_path, {}, web=config()) as server:
        made = Certificate(tmp_path / "ca" / "localhost.crt", tmp_path / "ca" / "localhost.key")
        if damage == "key of another":
            made.key.write_bytes(Authority(tmp_path / "other").sign("localhost").key.read_bytes())
        elif damage == "half a file":
            made.cert.write_bytes(made.cert.read_bytes()[:200])
        else:
            server.write("web.yml", {})
        with pytest.raises(SettingsError):
            server.access.reload()
        assert (await server.ask(tls=server.trust())).status == 200


@pytest.mark.parametrize("said", [GET, b"\x16\x03\x01\x02\x00" + bytes(600), b"\x00", b"SSH-2.0-x\r\n"], ids=repr)
async def test_what_is_no_handshake_is_no_connection(tmp_path: Path, authority: Authority, said: bytes) -> None:
    async with guarded(tmp_path, {"web": {"header_timeout": "300ms"}}, web=config()) as server:
        reader, writer = await asyncio.open_connection("localhost", server.port)
        writer.write(said)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                assert b"HTTP" not in await reader.read()
        writer.close()
        await handshakes_cut(server, 1)
        assert (await server.ask(tls=server.trust())).status == 200


async def test_a_handshake_that_never_ends_holds_no_place(tmp_path: Path, authority: Authority) -> None:
    async with guarded(tmp_path, {"web": {"max_connections": 3}}, web=config()) as server:
        silent = [await asyncio.open_connection("localhost", server.port) for _ in range(5)]
        assert (await server.ask(tls=server.trust())).status == 200
        assert cut(server, "evicted") == 3
        for _, writer in silent:
            writer.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="it is Linux' kernel that knows")
async def test_an_answer_that_nobody_reads_is_given_up_over_tls_too(tmp_path: Path, authority: Authority) -> None:
    async with guarded(tmp_path, {"web": {"write_timeout": "300ms"}}, web=config()) as server:
        reader, writer = await connect(server, server.trust())
        cast("asyncio.Transport", writer.transport).pause_reading()
        writer.write(f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        async with asyncio.timeout(20):
            while not cut(server, "write_timeout"):  # noqa: ASYNC110 - a counter
                await asyncio.sleep(0.05)
        assert server.registry.get_sample_value("forebay_web_connections") == 0
        assert not reader.at_eof()
        writer.transport.abort()
