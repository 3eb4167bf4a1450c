"""Where everything lies in the bucket. Blocks lie as Thanos has them; what is Forebay's own lies under `forebay/`."""

META = "meta.json"
INDEX = "index"
DELETION_MARK = "deletion-mark.json"

FOREBAY = "forebay/"
SEGMENTS = "forebay/segments/"
ROLLUPS = "forebay/rollups/"
GENERATIONS = "forebay/generations/"
QUARANTINE = "forebay/quarantine/"
PROBES = "forebay/probes/"


def block_key(ulid: str, path: str) -> str:
    """A file of a block: `<ULID>/meta.json`, `<ULID>/chunks/000001`."""
    return f"{ulid}/{path}"


def partition_prefix(log_id: str, partition: int) -> str:
    """Under which a partition's manifests lie, ascending by first offset."""
    return f"{SEGMENTS}{log_id}/{partition}/"


def manifest_key(log_id: str, partition: int, start: int) -> str:
    """The manifest of the segment that begins at `start`."""
    return f"{partition_prefix(log_id, partition)}{start:020}.json"


def rollup_prefix(log_id: str, partition: int) -> str:
    """Under which a partition's rolled-up manifests lie, ascending by first offset."""
    return f"{ROLLUPS}{log_id}/{partition}/"


def rollup_key(log_id: str, partition: int, start: int, end: int) -> str:
    """Many manifests in one object: those of the segments from offset `start` to `end`."""
    return f"{rollup_prefix(log_id, partition)}{start:020}-{end:020}.json"


def quarantine_prefix(log_id: str, partition: int) -> str:
    """Under which a partition's poison records lie, ascending by offset."""
    return f"{QUARANTINE}{log_id}/{partition}/"


def generation_key(log_id: str, number: int) -> str:
    """What a rebuild put in place of older manifests of this log."""
    return f"{GENERATIONS}{log_id}/{number:020}.json"


def quarantine_key(log_id: str, partition: int, offset: int) -> str:
    """A poison record, kept whole."""
    return f"{quarantine_prefix(log_id, partition)}{offset:020}.json"


def settled_key(log_id: str, partition: int, offset: int, outcome: str) -> str:
    """Beside where a poison record lay: what an operator did with it."""
    return f"{quarantine_prefix(log_id, partition)}{offset:020}.{outcome}.json"
