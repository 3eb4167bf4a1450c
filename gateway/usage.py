"""What gateways tell each other of their tenants: which series are active, and how many samples were stored.

Gateways go in rounds. In a round each admits at most its part of what a tenant has left of its limit; then it tells
which series it was the first to see, ends the round, and begins the next once all have ended theirs. So all know what
was admitted before anybody divides what is left again.
"""

import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from broker.usage_log import UsageLog
from forebay.clock import Clock
from forebay.errors import ForebayError
from gateway.active_series import ActiveSeries

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

ROUND_SECONDS: Final = 1.0
SILENT_MS: Final = 10_000
"""After which a gateway that is not heard of is gone."""
CATCH_UP_SECONDS: Final = 10.0
REOPEN_SECONDS: Final = 30.0
_HASHES: Final = 8 * 50_000
_HELD_BYTES: Final = 16 << 20
"""Of messages that could not be told yet; above it they are forgotten, and told in the next generation."""


class Seen(msgspec.Struct, frozen=True, tag="seen", array_like=True):
    """Series that the gateway was the first to see in this generation."""

    gateway: bytes
    tenant: str
    generation: int
    hashes: bytes


class RoundEnd(msgspec.Struct, frozen=True, tag="end", array_like=True):
    gateway: bytes
    round: int
    time_ms: int
    spent: dict[str, int]
    """Samples stored since the last end, of tenants that have a rate."""
    leaving: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Seen | RoundEnd).decode


class _Peer:
    def __init__(self) -> None:
        self.round = -1
        self.time_ms = 0


class Usage:
    """One gateway process among those of a log. `note` is for any thread; the rest for one."""

    def __init__(
        self,
        open_log: Callable[[], UsageLog],
        active: ActiveSeries,
        clock: Clock,
        *,
        charge: Callable[[dict[str, int]], None],
        logger: "FilteringBoundLogger",
        always: bool,
    ) -> None:
        """`charge` is called with the samples that another gateway has stored.

        Nothing is opened before it is needed: with `always` from the start on, else once a tenant has a limit that is
        shared.
        """
        self._open = open_log
        self._log: UsageLog | None = None
        self._always = always
        self._active = active
        self._clock = clock
        self._charge = charge
        self._logger = logger
        self._name = uuid.uuid4().bytes
        self._peers: dict[bytes, _Peer] = {}
        self._round = 0
        self._ended = False
        self._due = clock.monotonic()
        self._mutex = threading.Lock()
        self._spent: dict[str, int] = {}
        self._unsent: list[bytes] = []
        self._closing = threading.Event()
        self.problem = ""
        """Why this gateway goes by its own view alone; empty while it does not."""

    @property
    def gateways(self) -> int:
        """How many there are, this one among them."""
        return 1 + len(self._peers)

    @property
    def sharing(self) -> int:
        """As `gateways`, and 0 while this one goes by its own view alone."""
        return 0 if self.problem else self.gateways

    def note(self, tenant: str, samples: int) -> None:
        """Stored here, of a tenant that has a rate."""
        with self._mutex:
            self._spent[tenant] = self._spent.get(tenant, 0) + samples

    def catch_up(self) -> None:
        """Takes what was told before this gateway began, where it is needed. Blocks."""
        if not self._is_needed():
            return
        try:
            for data in self._opened().catch_up(CATCH_UP_SECONDS):
                self._take(data, charge=False)
            self._forget_silent()
            self._share()
        except ForebayError as error:
            self._fail(error)

    def run(self) -> None:
        """Until it is stopped."""
        while not self._closing.is_set():
            if not self._is_needed():
                self._closing.wait(ROUND_SECONDS)
                continue
            try:
                if self._log is None:
                    self.catch_up()
                self.step()
                self._recover()
            except ForebayError as error:
                self._fail(error)
                self._closing.wait(ROUND_SECONDS if self._log else REOPEN_SECONDS)
        if self._log is None:
            return
        try:
            self._log.publish([self._end(leaving=True)])
        except ForebayError as error:
            self._logger.info("other gateways were not told that this one ends", error=str(error))
        self._log.close()

    def stop(self) -> None:
        self._closing.set()

    def step(self, timeout: float = 0.1) -> None:
        """Hears of others, and ends or begins a round where it is time. Raises LogUnavailable, Fatal."""
        for data in self._opened().read(timeout):
            self._take(data)
        self._forget_silent()
        rounds = [peer.round for peer in self._peers.values()]
        now = self._clock.monotonic()
        if not self._ended and (now >= self._due or max(rounds, default=-1) >= self._round):
            self._round = max([self._round, *rounds])
            self._end_round()
            self._due = now + ROUND_SECONDS
        if self._ended and (min(rounds, default=self._round) >= self._round or now >= self._due):
            self._begin_round(now)

    def _is_needed(self) -> bool:
        return self._always or self._log is not None or bool(self._spent) or self._active.is_used

    def _opened(self) -> UsageLog:
        if self._log is None:
            self._log = self._open()
        return self._log

    def _forget_silent(self) -> None:
        oldest = self._clock.now_ms() - SILENT_MS
        self._peers = {name: peer for name, peer in self._peers.items() if peer.time_ms >= oldest}

    def _end_round(self) -> None:
        """Admits hardly anything from here on, and tells all that was admitted until here."""
        for tenant, found in self._active.items():
            self._active.allow(found, least=True)
            fresh = found.take_fresh()
            for at in range(0, len(fresh), _HASHES):
                self._unsent.append(
                    _encode(Seen(self._name, tenant, self._active.generation, fresh[at : at + _HASHES]))
                )
        if sum(map(len, self._unsent)) > _HELD_BYTES:
            self._unsent = []
        self._opened().publish([*self._unsent, self._end()])
        self._unsent = []
        self._ended = True

    def _begin_round(self, now: float) -> None:
        self._round += 1
        self._ended = False
        self._due = now + ROUND_SECONDS
        self._share()

    def _share(self) -> None:
        self._active.gateways = self.gateways
        for found in self._active.sets():
            self._active.allow(found)

    def _end(self, *, leaving: bool = False) -> bytes:
        with self._mutex:
            spent, self._spent = self._spent, {}
        return _encode(RoundEnd(self._name, self._round, self._clock.now_ms(), spent, leaving))

    def _take(self, data: bytes, *, charge: bool = True) -> None:
        try:
            message = _decode(data)
        except msgspec.DecodeError:
            return  # of another version
        if message.gateway == self._name:
            return
        if isinstance(message, Seen):
            self._active.get(message.tenant).merge(message.hashes, message.generation)
            return
        if charge and message.spent:
            self._charge(message.spent)
        if message.leaving:
            self._peers.pop(message.gateway, None)
            return
        peer = self._peers.setdefault(message.gateway, _Peer())
        peer.round, peer.time_ms = message.round, message.time_ms

    def _fail(self, error: ForebayError) -> None:
        """Goes on by its own view: a limit is each gateway's own until they hear from each other again."""
        if not self.problem:
            self._logger.warning("limits are not shared with other gateways", error=str(error))
        self.problem = str(error)
        self._peers = {}
        self._ended = False
        self._share()

    def _recover(self) -> None:
        if self.problem:
            self.problem = ""
            self._logger.info("limits are shared with other gateways again")
