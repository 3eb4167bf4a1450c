from typing_extensions import Buffer

class SymbolReader:
    """The symbol table of an index, over the bytes of its section; nothing is copied.

    Raises CorruptBlock where the section is cut short, fails its checksum, or is not ascending and unique.
    """

    def __init__(self, section: Buffer) -> None:
        """`section` is the whole of it: length, count, entries, CRC."""
    @property
    def count(self) -> int: ...
    def lookup(self, ordinal: int) -> bytes:
        """Raises IndexError where there is no such symbol."""
