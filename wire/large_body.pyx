"""Decompresses a write request piece by piece, and cuts between its series; its contract is in large_body.pyi.

Source of the format: google/snappy, format_description.txt. Encoders work on blocks of 64 KiB, and no copy reaches behind
its block; so that much of what was made is enough to make the rest.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from wire.cursor cimport Cursor, WIRE_BYTES, read_tag, read_varint, skip_field

from forebay.errors import InvalidData
from wire.snappy import BodyTooLarge

cdef enum:
    HISTORY = 65536
    LONGEST_COPY = 64
    SYMBOLS = 4          # field of a 2.0 request
    SERIES = 5
    CORRUPT = -1
    TOO_FAR = -2

LEAST_PIECE = 1024

cdef struct Decoder:
    Cursor c             # compressed bytes that are not read yet
    uint64_t left        # bytes that are still to come of what was declared
    uint64_t literal     # bytes of the literal that is being copied
    uint64_t made        # bytes since the beginning
    uint8_t* data
    size_t end           # of what is decompressed in `data`
    size_t room


cdef inline int _copy(Decoder* d, uint32_t offset, uint32_t size) noexcept nogil:
    cdef uint8_t* to = d.data + d.end
    cdef const uint8_t* source
    cdef uint32_t i
    if offset == 0 or offset > d.made or size > d.left:
        return CORRUPT
    if offset > d.end:
        return TOO_FAR
    source = to - offset
    for i in range(size):  # byte by byte: a copy may overlap what it makes
        to[i] = source[i]
    d.end += size
    d.made += size
    d.left -= size
    return 0


cdef int _literal(Decoder* d) noexcept nogil:
    """As much of the literal as there is room for."""
    cdef size_t size = d.room - d.end
    if d.literal > d.left or d.literal > <uint64_t>(d.c.end - d.c.p):
        return CORRUPT
    if d.literal < size:
        size = <size_t>d.literal
    memcpy(d.data + d.end, d.c.p, size)
    d.c.p += size
    d.end += size
    d.made += size
    d.left -= size
    d.literal -= size
    return 0


cdef int _fill(Decoder* d) noexcept nogil:
    """Decompresses until the room is used up, but for less than a copy, or nothing is left."""
    cdef uint32_t tag, size, offset, i, wide
    cdef int result = 0
    while result == 0:
        if d.literal:
            result = _literal(d)
            if d.literal:
                return result
            continue
        if d.c.p == d.c.end or d.room - d.end < LONGEST_COPY:
            return 0
        tag = d.c.p[0]
        d.c.p += 1
        # Bytes behind the tag: of a literal's length beyond 60, or of an offset.
        if tag & 3 == 0:
            wide = 0 if tag >> 2 < 60 else (tag >> 2) - 59
        else:
            wide = 4 if tag & 3 == 3 else tag & 3
        if d.c.end - d.c.p < wide:
            return CORRUPT
        offset = 0
        for i in range(wide):
            offset |= <uint32_t>d.c.p[i] << (8 * i)
        d.c.p += wide
        if tag & 3 == 0:
            d.literal = <uint64_t>(offset if wide else tag >> 2) + 1
            continue
        size = (tag >> 2) + 1
        if tag & 3 == 1:
            size = (tag >> 2 & 7) + 4
            offset |= tag >> 5 << 8
        result = _copy(d, offset, size)
    return result


cdef class LargeBody:
    cdef Py_buffer _view
    cdef bint _viewed
    cdef Decoder _decoder
    cdef size_t _start           # of what was not given out yet
    cdef size_t _piece_bytes
    cdef int _message
    cdef bytearray _symbols
    cdef bint _in_series         # of a 2.0 request: symbols are over

    def __cinit__(self, compressed, *, int message, size_t piece_bytes):
        cdef Decoder* d = &self._decoder
        if message not in (1, 2) or not LEAST_PIECE <= piece_bytes <= 1 << 30:
            raise ValueError(f"no such pieces: message={message} piece_bytes={piece_bytes}")
        PyObject_GetBuffer(compressed, &self._view, PyBUF_SIMPLE)
        self._viewed = True
        d.c.p = <const uint8_t*>self._view.buf
        d.c.end = d.c.p + self._view.len
        if read_varint(&d.c, &d.left) < 0 or d.left > 0xFFFFFFFFu:
            raise InvalidData(f"not snappy block format: bytes={self._view.len}")
        if 3 * d.left > <uint64_t>(64 * self._view.len):  # the longest copy element turns three bytes into 64
            raise InvalidData(f"snappy body lies about its length: bytes={self._view.len} decompressed_bytes={d.left}")
        d.room = HISTORY + piece_bytes + LONGEST_COPY
        d.data = <uint8_t*>malloc(d.room)
        if d.data == NULL:
            raise MemoryError
        self._piece_bytes = piece_bytes
        self._message = message
        self._symbols = bytearray()

    def __dealloc__(self):
        free(self._decoder.data)
        if self._viewed:
            PyBuffer_Release(&self._view)

    def __iter__(self):
        return self

    def __next__(self):
        cdef Decoder* d = &self._decoder
        cdef size_t cut
        cdef int result
        while True:
            self._move()
            with nogil:
                result = _fill(d)
            if result == TOO_FAR:
                raise BodyTooLarge("body cannot be taken apart: a copy reaches back more than 64 KiB")
            if result == CORRUPT or (d.c.p == d.c.end and (d.left or d.literal)):
                raise InvalidData(f"corrupt snappy body: bytes={self._view.len} decompressed_bytes={d.made}")
            if self._start == d.end and d.left == 0:
                raise StopIteration
            if self._message == 2 and not self._in_series:
                self._take_symbols()
            cut = self._cut()
            if cut > self._start:
                piece = bytes(self._symbols) + d.data[self._start:cut]
                self._start = cut
                return piece
            if d.end - self._start >= self._piece_bytes or (d.left == 0 and self._start < d.end):
                self._refuse()

    cdef int _refuse(self) except -1:
        """What stands at `_start` does not end within a piece."""
        cdef Decoder* d = &self._decoder
        cdef Cursor c
        cdef uint32_t field, wire_type
        cdef uint64_t size
        c.p = d.data + self._start
        c.end = d.data + d.end
        if (
            read_tag(&c, &field, &wire_type) < 0
            or wire_type != WIRE_BYTES
            or read_varint(&c, &size) < 0
            or size > <uint64_t>(c.end - c.p) + d.left
        ):
            raise InvalidData(f"malformed write request: offset={d.made - (d.end - self._start)}")
        raise BodyTooLarge(
            f"body cannot be taken apart: one series has bytes={size} limit={self._piece_bytes}",
            hint="send fewer samples of a series at a time",
        )

    cdef void _move(self) noexcept:
        """Makes room: what was given out goes, but for the history that copies may refer to."""
        cdef Decoder* d = &self._decoder
        cdef size_t kept = self._start
        if d.end - kept < HISTORY:
            kept = d.end - HISTORY if d.end > HISTORY else 0
        if kept:
            memmove(d.data, d.data + kept, d.end - kept)
            d.end -= kept
            self._start -= kept

    cdef int _take_symbols(self) except -1:
        """Sets symbols apart, up to the first series."""
        cdef Cursor c, before
        cdef uint32_t field, wire_type
        c.p = self._decoder.data + self._start
        c.end = self._decoder.data + self._decoder.end
        while c.p < c.end:
            before = c
            if read_tag(&c, &field, &wire_type) < 0 or (field != SERIES and skip_field(&c, wire_type) < 0):
                break  # not whole yet, or malformed: seen again with more bytes
            if field == SERIES:
                self._in_series = True
                break
            if field == SYMBOLS:
                self._symbols += before.p[:c.p - before.p]
            self._start += c.p - before.p
            if len(self._symbols) > self._piece_bytes // 2:
                raise BodyTooLarge(
                    f"body cannot be taken apart: its symbols have more than bytes={self._piece_bytes // 2}",
                    hint="send fewer series a request (max_samples_per_send)",
                )
        return 0

    cdef size_t _cut(self) except? 0:
        """Where the last whole field within a piece ends; `_start` where there is none."""
        cdef Decoder* d = &self._decoder
        cdef Cursor c
        cdef uint32_t field, wire_type
        cdef size_t cut = self._start
        if self._message == 2 and not self._in_series:
            return cut
        c.p = d.data + self._start
        c.end = d.data + d.end
        while c.p < c.end:
            if read_tag(&c, &field, &wire_type) < 0 or skip_field(&c, wire_type) < 0:
                break
            if <size_t>(c.p - d.data) - self._start > self._piece_bytes:
                break
            if field == SYMBOLS and self._message == 2:
                raise BodyTooLarge("body cannot be taken apart: symbols stand behind series")
            cut = c.p - d.data
        return cut
