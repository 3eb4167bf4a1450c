"""Checks passwords against bcrypt hashes: slow by design, so never on the event loop, never more than one at a time.

A flood of wrong passwords waits for its turn and keeps nobody waiting whose password was found right before. What was
found out is remembered under a keyed hash that means nothing outside this process.
"""

import asyncio
import hashlib
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from forebay.errors import Retryable

_MAX_WAITING = 64
_MAX_WAITING_OF_PEER = 16  # so that one address does not take every turn
_MAX_KNOWN = 4096  # each, of right and of wrong ones
_MAX_PASSWORD_BYTES = 72  # of which bcrypt takes notice; htpasswd and Go cut there, too


class PasswordsBusy(Retryable):
    """Too many passwords are waiting to be checked."""


class Passwords:
    """The users of one file; `replace` follows its changes. For one event loop."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._secret = os.urandom(32)
        self._known: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._checks: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")
        self.replace(users)

    def replace(self, users: Mapping[str, str]) -> None:
        """Hashes by user, in force from the next check on. From any thread."""
        costs = [int(hashed.split("$")[2]) for hashed in users.values()]
        # Takes as long as a real one, so that nobody learns from the time who is a user.
        nobody = bcrypt.gensalt(max(costs, default=10)).decode() + "." * 31
        self._table = (dict(users), nobody)

    def close(self) -> None:
        """May be called twice."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def check(self, user: str, password: bytes, peer: str) -> bool:
        """Whether `user` has this password; `peer` is the address that asks. Raises PasswordsBusy."""
        users, nobody = self._table
        hashed = users.get(user, nobody)
        key = self._key(user.encode(errors="surrogateescape"), hashed.encode(), password)
        for right, known in self._known.items():
            if key in known:
                known.move_to_end(key)
                return right
        check = self._checks.get(key)
        if check is None:
            check = self._begin(key, user in users, password, hashed, peer)
        return await asyncio.shield(check)

    def _begin(self, key: bytes, is_user: bool, password: bytes, hashed: str, peer: str) -> "asyncio.Future[bool]":  # noqa: FBT001 - names at the call
        if len(self._checks) >= _MAX_WAITING or self._waiting[peer] >= _MAX_WAITING_OF_PEER:
            raise PasswordsBusy("too many passwords are waiting to be checked", hint="retry")
        work = (password[:_MAX_PASSWORD_BYTES], hashed.encode())
        check = asyncio.get_running_loop().run_in_executor(self._executor, bcrypt.checkpw, *work)
        result = asyncio.ensure_future(self._end(key, peer, check, is_user=is_user))
        self._checks[key] = result
        self._waiting[peer] += 1
        return result

    async def _end(self, key: bytes, peer: str, check: "asyncio.Future[bool]", *, is_user: bool) -> bool:
        try:
            right = await check and is_user
        finally:
            del self._checks[key]
            self._waiting[peer] -= 1
            if not self._waiting[peer]:
                del self._waiting[peer]
        known = self._known[right]
        known[key] = None
        if len(known) > _MAX_KNOWN:
            known.popitem(last=False)
        return right

    def _key(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()
