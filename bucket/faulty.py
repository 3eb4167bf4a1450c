"""A bucket that fails as stores and processes do, by a plan: for tests and rehearsals of what stands on a bucket."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from bucket.bucket import Bucket, BucketUnavailable, ObjectInfo

Fault = Literal["none", "fail", "lose_answer", "tear"]
"""`fail`: nothing is done. `lose_answer`: it is done, and the caller is told it was not. `tear`: half of the bytes
are written under the key, which no sound store does. For a read, all three are a failure."""


class Outcome(NamedTuple):
    fault: Fault = "none"
    delay: float = 0.0  # seconds, before anything else


class FaultPlan(Protocol):
    def next(self, operation: str, key: str) -> Outcome:
        """What becomes of this call. Called once for each, by any thread; may raise, as the call then does."""
        ...


class SeededFaults:
    """Faults at random, the same for the same seed and order of calls. `rates` are probabilities by fault."""

    def __init__(self, seed: int, rates: Mapping[Fault, float], *, max_delay: float = 0.0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a plan that can be repeated is the point
        self._lock = threading.Lock()
        self._faults: list[Fault] = ["none", *rates]
        self._weights = [1.0 - sum(rates.values()), *rates.values()]
        self._max_delay = max_delay

    def next(self, operation: str, key: str) -> Outcome:  # noqa: ARG002 - this plan is for all alike
        with self._lock:
            (fault,) = self._random.choices(self._faults, self._weights)
            return Outcome(fault, self._random.uniform(0.0, self._max_delay))


class Crash(BaseException):
    """Stands for the end of the process: no handler of errors may catch it."""


class CrashAtWrite:
    """The process ends before its `step`-th write, from 0; no later call does anything."""

    def __init__(self, step: int) -> None:
        self._left = step

    @property
    def reached(self) -> bool:
        return self._left < 0

    def next(self, operation: str, key: str) -> Outcome:
        if operation in _WRITES:
            self._left -= 1
        if self.reached:
            raise Crash(f"{operation} {key}")
        return Outcome()


_WRITES = frozenset({"put", "put_file", "create", "replace", "delete"})


class FaultyBucket:
    """Implements Bucket over `inner`, with the faults of `plan`."""

    def __init__(self, inner: Bucket, plan: FaultPlan, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._inner = inner
        self._plan = plan
        self._sleep = sleep

    @property
    def description(self) -> str:
        return f"faulty {self._inner.description}"

    def get(self, key: str) -> bytes:
        self._read("get", key)
        return self._inner.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        self._read("get_range", key)
        return self._inner.get_range(key, start, length)

    def stat(self, key: str) -> ObjectInfo:
        self._read("stat", key)
        return self._inner.stat(key)

    def put(self, key: str, data: bytes) -> None:
        self._write("put", key, lambda: self._inner.put(key, data), data)

    def put_file(self, key: str, source: Path) -> None:
        self._write("put_file", key, lambda: self._inner.put_file(key, source), source)

    def create(self, key: str, data: bytes) -> None:
        self._write("create", key, lambda: self._inner.create(key, data), data)

    def replace(self, key: str, data: bytes, version: str) -> None:
        self._write("replace", key, lambda: self._inner.replace(key, data, version), data)

    def delete(self, key: str) -> None:
        self._write("delete", key, lambda: self._inner.delete(key), b"")

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        self._read("list", prefix)
        return self._inner.list(prefix, start_after)

    def list_dirs(self, prefix: str) -> Iterator[str]:
        self._read("list_dirs", prefix)
        return self._inner.list_dirs(prefix)

    def download(self, key: str, target: Path) -> None:
        self._read("download", key)
        self._inner.download(key, target)

    def local_path(self, key: str) -> Path | None:
        return self._inner.local_path(key)

    def close(self) -> None:
        self._inner.close()

    def _read(self, operation: str, key: str) -> None:
        if self._outcome(operation, key) != "none":
            raise BucketUnavailable(f"planned fault operation={operation} key={key}")

    def _write(self, operation: str, key: str, do: Callable[[], None], data: bytes | Path) -> None:
        fault = self._outcome(operation, key)
        if fault in ("none", "lose_answer"):
            do()
        if fault == "tear" and operation != "delete":
            whole = data.read_bytes() if isinstance(data, Path) else data
            self._inner.put(key, whole[: len(whole) // 2])
        if fault != "none":
            raise BucketUnavailable(f"planned fault operation={operation} key={key} fault={fault}")

    def _outcome(self, operation: str, key: str) -> Fault:
        outcome = self._plan.next(operation, key)
        if outcome.delay:
            self._sleep(outcome.delay)
        return outcome.fault
