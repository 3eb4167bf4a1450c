from collections.abc import Mapping, Sequence

from typing_extensions import Buffer

class DecodedSize:
    """What protobuf's runtime needs for a message, estimated before it is decoded.

    Two bytes on the wire can become a message object of 130: a body within its bounds could take a hundred times its
    size. The estimate is meant to be too high rather than too low; it is checked against the runtime by tests.
    """

    def __init__(self, messages: Sequence[tuple[int, Mapping[int, int]]]) -> None:
        """Each type of message has the size of its object and the kinds of its fields, by number; the body's is first.

        The kind of a field that holds messages is the index of their type; of one that holds many numbers -1, one
        number -2. Others, such as texts, are left out.

        Raises:
            ValueError: a field number is not within 1 and 31, an index names nothing, or there are too many types.
        """
    def of(self, body: Buffer) -> int:
        """Bytes. Releases the GIL. Raises InvalidData at what is malformed, a group, or nested too deep."""
