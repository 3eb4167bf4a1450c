"""Password checks: never two at once, never on the event loop, and a flood of wrong ones waits for itself."""

import asyncio
import threading
from collections.abc import AsyncIterator

import bcrypt
import pytest

from forebay import passwords as module
from forebay.passwords import Passwords, PasswordsBusy
from tests.forebay.access import hashed

PEER = "192.0.2.1"


class Slow:
    """Stands in for bcrypt: each check waits until it is let through."""

    def __init__(self) -> None:
        self.calls = 0
        self.at_once = self.most_at_once = 0
        self.threads: set[int] = set()
        self.go_on = threading.Semaphore(0)

    def __call__(self, password: bytes, hashed_password: bytes) -> bool:
        self.calls += 1
        self.threads.add(threading.get_ident())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.go_on.acquire(timeout=10)
        self.at_once -= 1
        return password == b"right"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(bcrypt, "checkpw", slow)
    return slow


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    passwords = Passwords({"alice": hashed("right"), "bob": hashed("right")})
    yield passwords
    passwords.close()


async def test_what_was_found_out_is_not_checked_again(passwords: Passwords, slow: Slow) -> None:
    for _ in range(2):
        slow.go_on.release()
    for _ in range(3):
        assert await passwords.check("alice", b"right", PEER)
        assert not await passwords.check("alice", b"wrong", PEER)
    assert slow.calls == 2


async def test_the_same_login_over_many_connections_is_one_check(passwords: Passwords, slow: Slow) -> None:
    asking = [asyncio.ensure_future(passwords.check("alice", b"right", PEER)) for _ in range(200)]
    await asyncio.sleep(0.01)
    asking[0].cancel()  # a sender that goes away takes nothing from the others
    slow.go_on.release()
    assert all(await asyncio.gather(*asking[1:]))
    assert slow.calls == 1


async def test_checks_go_one_by_one_beside_the_event_loop(passwords: Passwords, slow: Slow) -> None:
    asking = [asyncio.ensure_future(passwords.check("alice", b"%d" % n, PEER)) for n in range(8)]
    await asyncio.sleep(0.05)
    assert slow.at_once == 1
    for _ in asking:
        slow.go_on.release()
    assert not any(await asyncio.gather(*asking))
    assert slow.most_at_once == 1
    assert slow.threads == {*slow.threads} - {threading.get_ident()}


async def test_a_flood_is_refused_and_who_is_known_goes_on(passwords: Passwords, slow: Slow) -> None:
    slow.go_on.release()
    assert await passwords.check("alice", b"right", PEER)
    flood = [asyncio.ensure_future(passwords.check("alice", b"%d" % n, f"192.0.2.{n % 100}")) for n in range(500)]
    await asyncio.sleep(0.05)
    refused = [each for each in flood if each.done()]
    assert len(refused) == 500 - 64
    assert all(isinstance(each.exception(), PasswordsBusy) for each in refused)
    assert await asyncio.wait_for(passwords.check("alice", b"right", "198.51.100.1"), 1)
    for _ in range(64):
        slow.go_on.release()
    await asyncio.wait(flood)
    slow.go_on.release()
    assert await passwords.check("bob", b"right", PEER)


async def test_one_address_does_not_take_every_turn(passwords: Passwords, slow: Slow) -> None:
    flood = [asyncio.ensure_future(passwords.check("alice", b"%d" % n, PEER)) for n in range(60)]
    await asyncio.sleep(0.01)
    other = asyncio.ensure_future(passwords.check("bob", b"right", "198.51.100.1"))
    for _ in range(17):
        slow.go_on.release()
    assert await asyncio.wait_for(other, 5)
    await asyncio.wait(flood)
    assert sum(isinstance(each.exception(), PasswordsBusy) for each in flood) == 60 - 16


async def test_a_user_who_is_none_costs_as_much_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real, costs = bcrypt.checkpw, list[int]()

    def watched(password: bytes, hashed_password: bytes) -> bool:
        costs.append(int(hashed_password.split(b"$")[2]))
        return real(password, hashed_password)

    monkeypatch.setattr(bcrypt, "checkpw", watched)
    passwords = Passwords({"alice": hashed("right", cost=6)})
    for user in ("alice", "mallory", ""):
        assert not await passwords.check(user, b"wrong", PEER)
    assert costs == [6, 6, 6]
    passwords.close()


async def test_nothing_that_is_remembered_holds_a_password(passwords: Passwords) -> None:
    assert await passwords.check("alice", b"right", PEER)
    assert not await passwords.check("alice", b"hunter2", PEER)
    assert b"right" not in repr(vars(passwords)).encode()
    assert b"hunter2" not in repr(vars(passwords)).encode()


async def test_memory_is_bounded(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_KNOWN", 5)
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, _: password == b"right")
    assert await passwords.check("alice", b"right", PEER)
    for number in range(50):
        assert not await passwords.check("alice", b"%d" % number, PEER)
    assert [len(known) for known in passwords._known.values()] == [1, 5]
    assert not passwords._checks
    assert not passwords._waiting
