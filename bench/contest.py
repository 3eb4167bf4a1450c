"""One receiver under one load: what it did with it, and what that cost."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.load import Load
from bench.receivers.receiver import Receiver
from bench.send import HEADERS, HEADERS_2, Sent, send, tenants_of

MOST_CONNECTIONS = 8
_QUIET_SECONDS = 5.0


@dataclass(frozen=True)
class Result:
    """CPU without the start of processes, and without what services idle at while the last blocks are waited for."""

    name: str
    load: Load
    sent: Sent
    accepted_cpu_seconds: float
    """Until the last acknowledgement."""
    cpu_seconds: float
    """Until all is stored."""
    foreign_cpu_seconds: Mapping[str, float]
    memory_ready: int
    memory_full: int
    memory_peak: int
    log_bytes: int
    stored_bytes: int

    @property
    def rate(self) -> float:
        """Samples per CPU-second of the receiver's own processes, until all is stored."""
        return self.load.samples / self.cpu_seconds

    @property
    def all_cpu_seconds(self) -> float:
        return self.cpu_seconds + sum(self.foreign_cpu_seconds.values())


def connections_for(load: Load) -> int:
    """As many as divide the requests of a scrape: each series has its own one, as it has its shard in a real sender."""
    return max(n for n in range(1, MOST_CONNECTIONS + 1) if load.requests_per_scrape % n == 0)


def run(receiver: Receiver, load: Load, bodies: Sequence[bytes]) -> Result:
    """Starts it anew, sends all, waits until all is stored. Raises SendError, PeerError, OSError."""
    with receiver.running():
        idle = _idle(receiver)
        receiver.settle()
        ready, before, foreign = receiver.memory(), receiver.cpu_seconds(), receiver.foreign_cpu_seconds()
        sent = send(
            receiver.ports,
            bodies,
            connections=connections_for(load),
            path=receiver.write_path,
            headers=HEADERS if load.message == 1 else HEADERS_2,
            tenants=tenants_of(load, receiver.tenant_header) if receiver.tenant_header else ({},),
            lanes=True,
        )
        accepted, log, peak = receiver.cpu_seconds() - before, receiver.log_bytes(), receiver.peak_memory()
        receiver.caught_up()
        full, loaded, began = receiver.memory(), receiver.foreign_cpu_seconds(), time.monotonic()
        receiver.finish()
        waited = time.monotonic() - began
        return Result(
            receiver.name,
            load,
            sent,
            accepted,
            receiver.cpu_seconds() - before,
            {
                name: loaded[name] - foreign[name] + max(0.0, cost - loaded[name] - idle[name] * waited)
                for name, cost in receiver.foreign_cpu_seconds().items()
            },
            ready,
            full,
            max(peak, receiver.peak_memory()),
            log,
            receiver.stored_bytes(),
        )


def _idle(receiver: Receiver) -> Mapping[str, float]:
    """CPU of the services in a second in which the receiver is there and nothing is sent."""
    before = receiver.foreign_cpu_seconds()
    if not before:
        return {}
    time.sleep(_QUIET_SECONDS)
    return {name: (cost - before[name]) / _QUIET_SECONDS for name, cost in receiver.foreign_cpu_seconds().items()}
