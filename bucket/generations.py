"""Generations: what rebuilds put in place of older manifests, each in one object that is created once.

Key: `forebay/generations/<log id>/<number, 20 digits>.json`, numbers from 1 on without a gap. Creating the next number
is the moment at which all that it replaces stops counting and all that it names begins to: for readers, the compactor
and audits, which load the generations before they list blocks. Of two rebuilds that saw the same newest number one is
refused, and looks again (docs/decisions).
"""

import re
import threading

import msgspec

from bucket.bucket import Bucket, ObjectNotFound, PreconditionFailed
from bucket.layout import GENERATIONS, generation_key
from bucket.manifest import Manifest
from bucket.overlay import Overlay, RebuiltRef
from bucket.rollups import ManifestCorrupt, decode, restore_hint
from forebay.errors import ForebayError

GENERATION_VERSION = 1

_KEY = re.compile(rf"{GENERATIONS}([^/]+)/(\d{{20}})\.json")


class Overtaken(ForebayError):
    """Another rebuild of this log was faster: look at what stands now, and decide again."""


class Generation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log_id: str
    number: int
    manifests: tuple[Manifest, ...]
    """Ascending by partition and start. They begin and end where manifests in force before it did."""
    retired: tuple[str, ...]
    """ULIDs of the blocks that manifests named before it at these offsets, and that none names any more; ascending."""
    version: int = GENERATION_VERSION

    def encode(self) -> bytes:
        """Canonical bytes."""
        return msgspec.json.encode(self, order="deterministic") + b"\n"


_DECODER = msgspec.json.Decoder(Generation)


class Generations:
    """Reads and adds generations; those that were read are remembered, for they never change. Thread-safe.

    Every method may raise ManifestCorrupt, BucketUnavailable and BucketMisconfigured.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._overlay = Overlay()
        self._lock = threading.Lock()
        self._kept: Generation | None = None

    def load(self) -> Overlay:
        """What is in force now. One listing, and one read for each generation that is new."""
        found: dict[str, list[int]] = {}
        for info in self._bucket.list(GENERATIONS):
            if name := _KEY.fullmatch(info.key):
                found.setdefault(name[1], []).append(int(name[2]))
        with self._lock:
            if any(numbers[-1] > self._overlay.newest.get(log_id, 0) for log_id, numbers in found.items()):
                overlay = self._overlay.copy()
                for log_id, numbers in found.items():
                    for number in range(overlay.newest.get(log_id, 0) + 1, numbers[-1] + 1):
                        _add(overlay, self._read(log_id, number))
                self._overlay = overlay
            return self._overlay

    def read(self, ref: RebuiltRef) -> Manifest:
        """The manifest itself."""
        generation = self._read(ref.log_id, ref.generation)
        for manifest in generation.manifests:
            if (manifest.partition, manifest.start, manifest.end) == (ref.partition, ref.start, ref.end):
                return manifest
        raise ManifestCorrupt(f"generation has changed key={ref.key}", hint=restore_hint(ref.key))

    def add(self, generation: Generation) -> None:
        """Puts it in force; durable when it returns. May be repeated, also after BucketUnavailable.

        Raises Overtaken where another has this number.
        """
        key, data = generation_key(generation.log_id, generation.number), generation.encode()
        try:
            self._bucket.create(key, data)
        except PreconditionFailed:
            if self._bucket.get(key) != data:
                raise Overtaken(f"another rebuild was faster key={key}") from None

    def _read(self, log_id: str, number: int) -> Generation:
        kept = self._kept
        if kept is not None and (kept.log_id, kept.number) == (log_id, number):
            return kept
        key = generation_key(log_id, number)
        try:
            data = self._bucket.get(key)
        except ObjectNotFound:
            raise ManifestCorrupt(f"a generation is missing key={key}", hint=restore_hint(key)) from None
        generation = decode(data, _DECODER, key, GENERATION_VERSION)
        if (generation.log_id, generation.number) != (log_id, number):
            raise ManifestCorrupt(f"generation is not the one its key names key={key}", hint=restore_hint(key))
        self._kept = generation
        return generation


def _add(overlay: Overlay, generation: Generation) -> None:
    log_id, number = generation.log_id, generation.number
    refs = [RebuiltRef(log_id, each.partition, each.start, each.end, number) for each in generation.manifests]
    named = [entry.ulid for each in generation.manifests for entry in each.blocks]
    overlay.add(log_id, number, refs, named, generation.retired)
