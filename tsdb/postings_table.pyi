from typing_extensions import Buffer

class PostingsTable:
    """The postings offset table of an index, over the bytes of its section: where the list of each label lies.

    Holds 12 bytes an entry besides the section. Raises CorruptBlock where the section is cut short, fails its checksum,
    is not in order, or points outside [`lists`, `end`).
    """

    def __init__(self, section: Buffer, *, lists: int, end: int) -> None:
        """`section` is the whole of it: length, count, entries, CRC. Lists lie in [lists, end) of the index."""
    def all(self) -> tuple[int, int]:
        """Start and end of the list of all series."""
    def names(self) -> list[bytes]:
        """Label names, ascending."""
    def values(self, name: bytes) -> list[bytes]:
        """Values of one name, ascending; empty where no series has it."""
    def spans(self, name: bytes) -> list[tuple[int, int]]:
        """Start and end of the lists of one name, in the order of `values`."""
    def find(self, name: bytes, value: bytes) -> tuple[int, int] | None:
        """Start and end of one label's list, in O(log values)."""
