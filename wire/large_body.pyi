from typing_extensions import Buffer

LEAST_PIECE: int

class LargeBody:
    """A write request that is too large to be held decompressed, as several requests that hold its series by turns.

    An iterator for one thread. Each request is whole on its own; of a 2.0 request each has all symbols. Decompresses as
    it goes, without the GIL, and holds about `piece_bytes` besides the compressed body, which must not change.
    """

    def __init__(self, compressed: Buffer, *, message: int, piece_bytes: int) -> None:
        """`message` is 1 for prometheus.WriteRequest, 2 for io.prometheus.write.v2.Request.

        Raises:
            ValueError: `piece_bytes` is below LEAST_PIECE, or `message` is neither.
            InvalidData: not snappy's block format.
        """
    def __iter__(self) -> LargeBody: ...
    def __next__(self) -> bytes:
        """At most `piece_bytes`, with symbols at most half as much again.

        Raises:
            InvalidData: corrupt snappy, or not such a request; what came before may be stored already.
            BodyTooLarge: it cannot be taken apart: one series is larger than `piece_bytes`, symbols take more than half
                of it or stand behind series, or a copy refers to what lies more than 64 KiB back.
        """
