"""Rolled-up manifests: a long run of a partition's chain in one object, so that a full listing stays short.

Key: `forebay/rollups/<log id>/<partition>/<start>-<end>.json`. A roll-up repeats manifests and decides nothing, but
where one covers an offset it wins over a manifest that stands alone there: that one is either the same, or was made by
a builder so late that the original had been rolled up and removed.
"""

import re
from typing import NamedTuple, TypeVar

import msgspec

from bucket.bucket import Bucket
from bucket.layout import rollup_key, rollup_prefix
from bucket.manifest import Manifest
from forebay.errors import Fatal

ROLLUP_VERSION = 1

_NAME = re.compile(r"(\d{20})-(\d{20})\.json")


class ManifestCorrupt(Fatal):
    """An object that should hold manifests does not hold those that its key names."""


class Rollup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log_id: str
    partition: int
    start: int
    end: int
    manifests: tuple[Manifest, ...]
    """Each begins where the one before ended."""
    version: int = ROLLUP_VERSION

    def encode(self) -> bytes:
        """Canonical bytes: the same manifests are the same object."""
        return msgspec.json.encode(self, order="deterministic") + b"\n"

    def find(self, offset: int) -> Manifest | None:
        """The manifest of the segment that holds `offset`."""
        return next((manifest for manifest in self.manifests if manifest.start <= offset < manifest.end), None)

    def is_whole(self) -> bool:
        """Its manifests are of this partition and cover start to end without gap or overlap."""
        at = self.start
        for manifest in self.manifests:
            if (manifest.log_id, manifest.partition, manifest.start) != (self.log_id, self.partition, at):
                return False
            at = manifest.end
        return at == self.end


class RollupRef(NamedTuple):
    log_id: str
    partition: int
    start: int
    end: int

    @property
    def key(self) -> str:
        return rollup_key(*self)


class Rollups:
    """Reads roll-ups; the last one read is kept. Raises ManifestCorrupt besides what a bucket raises. Thread-safe."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._kept: tuple[RollupRef, Rollup] | None = None

    def list(self, log_id: str, partition: int) -> tuple[RollupRef, ...]:
        """Ascending."""
        prefix = rollup_prefix(log_id, partition)
        names = (_NAME.fullmatch(info.key.removeprefix(prefix)) for info in self._bucket.list(prefix))
        return tuple(RollupRef(log_id, partition, int(name[1]), int(name[2])) for name in names if name)

    def read(self, ref: RollupRef) -> Rollup:
        """Raises ObjectNotFound."""
        kept = self._kept
        if kept is not None and kept[0] == ref:
            return kept[1]
        rollup = decode(self._bucket.get(ref.key), _ROLLUP, ref.key, ROLLUP_VERSION)
        if (rollup.log_id, rollup.partition, rollup.start, rollup.end) != ref or not rollup.is_whole():
            raise ManifestCorrupt(f"roll-up is not the one its key names key={ref.key}", hint=restore_hint(ref.key))
        self._kept = (ref, rollup)
        return rollup

    def find(self, log_id: str, partition: int, offset: int) -> Manifest | None:
        """The rolled-up manifest of the segment that holds `offset`."""
        for ref in self.list(log_id, partition):
            if ref.start <= offset < ref.end:
                return self.read(ref).find(offset)
        return None


class _Versioned(msgspec.Struct):
    version: int


_VERSION = msgspec.json.Decoder(_Versioned)
_ROLLUP = msgspec.json.Decoder(Rollup)
_Kind = TypeVar("_Kind", bound=msgspec.Struct)


def decode(data: bytes, kind: msgspec.json.Decoder[_Kind], key: str, version: int) -> _Kind:
    """Raises ManifestCorrupt, which tells a newer format from a broken object."""
    try:
        found = _VERSION.decode(data).version
        if found > version:
            raise ManifestCorrupt(
                f"manifest is of a newer format key={key} version={found} known={version}",
                hint="upgrade this process: a newer forebay has written to the bucket",
            )
        return kind.decode(data)
    except msgspec.DecodeError as error:
        raise ManifestCorrupt(f"manifest cannot be read key={key} error={error}", hint=restore_hint(key)) from error


def restore_hint(key: str) -> str:
    """What an operator does about an object that is broken or gone."""
    return f"restore {key} from a copy of the bucket, then run forebay audit"
