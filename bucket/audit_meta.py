"""What an audit reads of a block's meta.json; the whole of it is `tsdb.meta`'s."""

import msgspec


class Hash(msgspec.Struct, frozen=True):
    func: str = msgspec.field(name="hashFunc")
    value: str


class File(msgspec.Struct, frozen=True):
    rel_path: str
    size_bytes: int = 0
    """0 for meta.json itself."""
    hash: Hash | None = None


class MergeCounts(msgspec.Struct, frozen=True):
    """Of one compaction: read = written + duplicate + conflicting."""

    read: int
    written: int
    duplicate: int
    conflicting: int


class Ours(msgspec.Struct, frozen=True):
    """`thanos.extensions.forebay`: of a segment's block, or of a compaction output."""

    compacted: bool = False
    log_id: str = ""
    partition: int = 0
    start: int = 0
    end: int = 0
    samples: MergeCounts | None = None


class _Extensions(msgspec.Struct, frozen=True):
    forebay: Ours | None = None


class _Thanos(msgspec.Struct, frozen=True):
    files: tuple[File, ...] = ()
    extensions: msgspec.Raw = msgspec.Raw(b"null")


class _Parent(msgspec.Struct, frozen=True):
    ulid: str


class _Compaction(msgspec.Struct, frozen=True):
    sources: tuple[str, ...] = ()
    parents: tuple[_Parent, ...] = ()


class _Stats(msgspec.Struct, frozen=True, rename="camel"):
    num_samples: int = 0


class AuditedMeta(msgspec.Struct, frozen=True):
    ulid: str
    stats: _Stats = _Stats()
    compaction: _Compaction = _Compaction()
    thanos: _Thanos = _Thanos()

    @property
    def ours(self) -> Ours | None:
        """None for a block that forebay did not make: others' extensions have any form."""
        try:
            return _EXTENSIONS.decode(self.thanos.extensions).forebay
        except msgspec.DecodeError:
            return None


_EXTENSIONS = msgspec.json.Decoder(_Extensions)
_META = msgspec.json.Decoder(AuditedMeta)


def decode_meta(data: bytes) -> AuditedMeta | None:
    """None for what is no meta.json."""
    try:
        return _META.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
