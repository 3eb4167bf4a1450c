from collections.abc import Mapping, Sequence

from typing_extensions import Buffer

class DecodedSize:
    """What protobuf's runtime needs for a message, estimated before it is decoded.

    Two bytes on the wire can become a message object of 130: a body within its bounds could take a hundred times its
    size. The estimate is meant to be too high rather than too low; it is checked against the runtime by tests.
    """

    def __init__(self, messages: Sequence[Mapping[int, int]]) -> None:
        """`messages` has each type's fields that matter, by number; the first type is that of the body.

        A field that holds messages has the index of their type, one that holds packed numbers has -1.

        Raises:
            ValueError: a field number is not within 1 and 31, an index names nothing, or there are too many types.
        """
    def of(self, body: Buffer) -> int:
        """Bytes. Releases the GIL. Raises InvalidData at what is malformed, a group, or nested too deep."""
