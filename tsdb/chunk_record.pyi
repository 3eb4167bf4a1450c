from typing_extensions import Buffer

def record_size(data: Buffer) -> int:
    """Bytes of the record that begins at `data`, by its length field; it may be more than there is."""

def read_record(data: Buffer) -> tuple[int, bytes]:
    """Encoding and payload of the record at the start of `data`; raises CorruptBlock where it is damaged."""
