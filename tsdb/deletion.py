"""Taking deleted samples out of chunks."""

from array import array
from bisect import bisect_left, bisect_right

from tsdb.chunk import ENCODING_XOR, Chunk
from tsdb.chunks import decode_floats, decode_histograms, encode_floats, encode_histograms
from tsdb.tombstones import Intervals


def covers(intervals: Intervals, mint: int, maxt: int) -> bool:
    """Whether one interval holds all of [mint, maxt]."""
    return any(start <= mint and maxt <= end for start, end in intervals)


def delete_samples(chunk: Chunk, intervals: Intervals) -> list[Chunk]:
    """The chunk without the samples in the intervals; as it is where none can be, encoded anew where some are.

    Raises:
        CorruptChunk: it had to be decoded and is damaged.
    """
    touching = [pair for pair in intervals if pair[0] <= chunk.maxt and chunk.mint <= pair[1]]
    if not touching:
        return [chunk]
    if chunk.encoding != ENCODING_XOR:
        histograms = decode_histograms(chunk.encoding, chunk.data)
        kept = [sample for sample in histograms if not covers(touching, sample.t, sample.t)]
        return [chunk] if len(kept) == len(histograms) else encode_histograms(kept)
    times, bits = decode_floats(chunk.data)
    kept_times, kept_bits = array("q"), array("Q")
    position = 0
    for start, end in touching:
        stop = bisect_left(times, start, lo=position)
        kept_times += times[position:stop]
        kept_bits += bits[position:stop]
        position = bisect_right(times, end, lo=stop)
    kept_times += times[position:]
    kept_bits += bits[position:]
    return [chunk] if len(kept_times) == len(times) else encode_floats(kept_times, kept_bits)
