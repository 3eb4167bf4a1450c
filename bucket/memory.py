"""A bucket in memory: for tests and rehearsals. Gone with the process."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bucket.bucket import ObjectInfo, ObjectNotFound, PreconditionFailed
from bucket.keys import check_key, check_prefix
from forebay.clock import Clock, SystemClock


class _Object(NamedTuple):
    data: bytes
    modified_ms: int
    version: str


class MemoryBucket:
    """Implements Bucket. `clock` is the store's clock: it dates the objects."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._writes = 0

    @property
    def description(self) -> str:
        return "memory"

    def get(self, key: str) -> bytes:
        return self._find(key).data

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self._find(key).data[start : start + length]

    def stat(self, key: str) -> ObjectInfo:
        return _info(key, self._find(key))

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        with self._lock:
            self._store(key, data)

    def put_file(self, key: str, source: Path) -> None:
        self.put(key, source.read_bytes())

    def create(self, key: str, data: bytes) -> None:
        check_key(key)
        with self._lock:
            if key in self._objects:
                raise PreconditionFailed(f"object exists already key={key}")
            self._store(key, data)

    def replace(self, key: str, data: bytes, version: str) -> None:
        check_key(key)
        with self._lock:
            if key not in self._objects:
                raise ObjectNotFound(f"no such object key={key}")
            if self._objects[key].version != version:
                raise PreconditionFailed(f"object is another version key={key}")
            self._store(key, data)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        with self._lock:
            found = [(key, o) for key, o in self._objects.items() if key.startswith(prefix) and key > start_after]
        # Code points sort as their UTF-8 bytes do.
        return iter([_info(key, o) for key, o in sorted(found)])

    def list_dirs(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        with self._lock:
            rests = [key[len(prefix) :] for key in self._objects if key.startswith(prefix)]
        found = {rest.split("/", 1)[0] for rest in rests if "/" in rest}
        return iter(sorted(found, key=lambda name: name + "/"))

    def download(self, key: str, target: Path) -> None:
        data = self.get(key)
        with target.open("xb") as file:
            file.write(data)

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    def close(self) -> None:
        pass

    def _find(self, key: str) -> _Object:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise ObjectNotFound(f"no such object key={key}")
        return found

    def _store(self, key: str, data: bytes) -> None:
        self._writes += 1
        self._objects[key] = _Object(bytes(data), self._clock.now_ms(), str(self._writes))


def _info(key: str, o: _Object) -> ObjectInfo:
    return ObjectInfo(key, len(o.data), o.modified_ms, o.version)
