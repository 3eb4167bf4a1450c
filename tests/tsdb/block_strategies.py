"""Label sets and series as hypothesis makes them."""

from hypothesis import strategies as st

from tests.tsdb.block_oracle import one_sample_chunk
from tsdb.chunk import Chunk, SeriesChunks

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).map(str.encode)
names = st.sampled_from([b"__name__", b"a", b"B", b"job"]) | texts
values = st.sampled_from([b"x", b"y", b"xy"]) | texts
label_sets = st.dictionaries(names, values, min_size=1, max_size=4).map(lambda labels: tuple(sorted(labels.items())))
times = st.integers(-(1 << 62), 1 << 62) | st.integers(0, 100)
chunk_rows = st.lists(times, min_size=1, max_size=4, unique=True).map(
    lambda row: [one_sample_chunk(t) for t in sorted(row)]
)


def _series(rows: dict[tuple[tuple[bytes, bytes], ...], list[Chunk]]) -> list[SeriesChunks]:
    return [SeriesChunks(labels, rows[labels]) for labels in sorted(rows)]


blocks = st.dictionaries(label_sets, chunk_rows, min_size=1, max_size=8).map(_series)
