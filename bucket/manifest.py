"""The manifest: the object that says a segment is done, and the ledger in it (DESIGN section 5).

Key: `forebay/segments/<log id>/<partition>/<start, 20 digits>.json`. Whoever creates it first decides
the segment's end and recipe; everybody else adopts them. Nothing in it depends on who built it or when.
"""

import hashlib
from typing import Literal

import msgspec

MANIFEST_VERSION = 1

LABEL_WINDOW = 450_000
"""ms; what `broker.label_window` is by default."""

EndedBy = Literal["mark", "bytes", "gap", "idle", "shutdown", "replay"]
"""`gap`: the record behind the end was lost before it was read; the next manifest's `gap` says up to where."""


class HaRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one replica of each HA pair is followed."""

    failover_timeout: int
    """Silence in append time, ms, after which another replica is followed."""
    max_clusters: int
    """Of one tenant at a time, in one partition."""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything besides the records that decides a block's bytes. Times in ms, sizes in bytes."""

    builder: int
    """Raised with every change of the builder that changes bytes."""
    external_labels: dict[str, str]
    tenant_label: str
    window: int
    segment_interval: int
    segment_max_bytes: int
    max_age: int
    max_future: int
    max_windows: int
    ha: HaRecipe | msgspec.UnsetType = msgspec.UNSET
    """Absent where HA pairs are not deduplicated, so that such recipes keep the digests they always had."""
    label_window: int | msgspec.UnsetType = msgspec.UNSET
    """How far back records of version 2 may rely on labels; absent where it is LABEL_WINDOW, as above."""

    @property
    def looks_back(self) -> int:
        """How long before a segment's first record labels count: the second window is for clocks that go back."""
        return 2 * (self.label_window or LABEL_WINDOW)

    def digest(self) -> str:
        """SHA-256 over the canonical JSON, lower-case hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    """Relative to the block: `chunks/000001`, `index`, `meta.json`."""
    size: int
    sha256: str


class BlockEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ulid: str
    tenant: str
    window: int
    """Start of the window, ms."""
    min_time: int
    max_time: int
    """First and last sample, inclusive, ms."""
    series: int
    samples: int
    files: tuple[FileEntry, ...]


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Per tenant: samples = stored + duplicate + deduplicated + all rejected; floats and histograms together."""

    records: int
    samples: int
    stored: int
    duplicate: int
    rejected: dict[str, int]
    exemplars: int
    metadata: int
    deduplicated: int = 0

    def balances(self) -> bool:
        return self.samples == self.stored + self.duplicate + self.deduplicated + sum(self.rejected.values())


class Quarantined(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record that could not be decoded; its bytes are in the quarantine under the same offset."""

    offset: int
    tenant: str
    reason: str


class Followed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one replica of an HA pair whose samples are stored."""

    tenant: str
    cluster: str
    replica: str
    seen: int
    """Append time of its last record, ms."""


class FollowedReplicas(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ascending by (tenant, cluster)."""

    before: tuple[Followed, ...]
    """What the segment began with: decides its bytes, as the recipe does."""
    after: tuple[Followed, ...]
    """What the next segment begins with."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log_id: str
    partition: int
    start: int
    """A, the first offset of the segment; where the previous manifest ended."""
    end: int
    """B, one behind the last record."""
    first_append_time: int
    last_append_time: int
    ended_by: EndedBy
    recipe: Recipe
    recipe_digest: str
    blocks: tuple[BlockEntry, ...]
    """Ascending by (tenant, window)."""
    ledger: dict[str, Ledger]
    """By tenant."""
    quarantined: tuple[Quarantined, ...] = ()
    gap: tuple[int, int] | None = None
    """Offsets [from, to) that the log had lost before they were read; `from` is `start`."""
    version: int = MANIFEST_VERSION
    followed: FollowedReplicas | msgspec.UnsetType = msgspec.UNSET
    """Of HA pairs; absent where there are none."""

    @property
    def followed_before(self) -> tuple[Followed, ...]:
        return self.followed.before if self.followed else ()

    @property
    def followed_after(self) -> tuple[Followed, ...]:
        return self.followed.after if self.followed else ()

    def encode(self) -> bytes:
        """Canonical bytes: the same manifest is the same object."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """Raises msgspec.DecodeError (also its subclass ValidationError)."""
        return MANIFEST_DECODER.decode(data)


MANIFEST_DECODER = msgspec.json.Decoder(Manifest)
"""Made at import, and not at first use: msgspec crashes where two threads use a type for the first time at once."""
