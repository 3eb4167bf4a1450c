"""Exemplars in one buffer, oldest first; its contract is in exemplars.pyi.

The buffer is written from left to right. Where it is full, the oldest quarter goes and the rest moves to the front: three
bytes are moved for each that is written, and no entry is ever in two pieces.
"""

import os
from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove

from consumers.label_hash cimport HashKey, label_hash
from wire.canonical cimport LabelPair, read_label
from wire.cursor cimport (
    Cursor, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, read_bytes, read_fixed64, read_tag, read_varint, skip_field
)

Exemplar = namedtuple("Exemplar", "labels value timestamp", module="consumers.exemplars")
SeriesExemplars = namedtuple("SeriesExemplars", "labels exemplars", module="consumers.exemplars")

cdef enum:
    FIRST_ROOM = 4096
    REMEMBERED = 1024   # series whose last exemplar is known again, about
    LABEL_TAG = 0x0A
    EXEMPLARS = 3       # field of a TimeSeries

cdef struct Entry:
    # Stands before its bytes: the series' labels as a record has them, then the Exemplar message.
    uint32_t size       # of all, a multiple of 8
    uint32_t labels
    uint32_t message
    uint32_t unused
    int64_t timestamp

cdef HashKey PROCESS_KEY
_secret = os.urandom(sizeof(HashKey))
memcpy(&PROCESS_KEY, PyBytes_AS_STRING(_secret), sizeof(HashKey))
del _secret


cdef struct Message:
    uint64_t bits
    int64_t timestamp


cdef int _read_message(Cursor c, Message* out, list labels) except -2:
    """An Exemplar message: 0, or -1 where it is malformed. `labels` is filled unless it is None."""
    cdef uint32_t field, wire_type
    cdef uint64_t raw
    cdef Cursor inner
    cdef LabelPair pair
    out.bits = 0
    out.timestamp = 0
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return -1
        if field == 1:
            if wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0 or read_label(inner, &pair) < 0:
                return -1
            if labels is not None:
                labels.append((pair.name[:pair.name_size], pair.value[:pair.value_size]))
        elif field == 2:
            if wire_type != WIRE_FIXED64 or read_fixed64(&c, &out.bits) < 0:
                return -1
        elif field == 3:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return -1
            out.timestamp = <int64_t>raw
        elif skip_field(&c, wire_type) < 0:
            return -1
    return 0


cdef tuple _labels_of(Cursor c):
    cdef uint32_t field, wire_type
    cdef Cursor inner
    cdef LabelPair pair
    found = []
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0 or read_bytes(&c, &inner) < 0 or read_label(inner, &pair) < 0:
            break  # a head would not have taken them
        found.append((pair.name[:pair.name_size], pair.value[:pair.value_size]))
    return tuple(found)


cdef class Exemplars:
    cdef uint8_t* _data
    cdef size_t _used
    cdef size_t _room
    cdef size_t _capacity
    cdef uint64_t* _last          # by series' hash: the hash of its last exemplar
    cdef readonly uint64_t kept
    cdef readonly uint64_t evicted
    cdef readonly uint64_t unfit

    def __cinit__(self, size_t capacity):
        if not FIRST_ROOM <= capacity <= 1 << 31:
            raise ValueError(f"capacity must be from {FIRST_ROOM} to {1 << 31} bytes (got {capacity})")
        self._capacity = capacity

    def __dealloc__(self):
        free(self._data)
        free(self._last)

    @property
    def memory_bytes(self):
        return self._room + (REMEMBERED * sizeof(uint64_t) if self._last != NULL else 0)

    def take(self, const uint8_t[::1] record not None):
        cdef Cursor c, inner
        cdef uint32_t field, wire_type
        if record.shape[0] == 0:
            return
        c.p = &record[0]
        c.end = c.p + record.shape[0]
        while c.p < c.end:
            if read_tag(&c, &field, &wire_type) < 0:
                return
            if field != 1:
                if skip_field(&c, wire_type) < 0:
                    return
            elif wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0:
                return
            else:
                self._take_series(inner)

    cdef int _take_series(self, Cursor c) except -1:
        cdef Cursor labels = c
        cdef Cursor message
        cdef uint32_t field, wire_type
        while c.p < c.end and c.p[0] == LABEL_TAG:
            c.p += 1
            if read_bytes(&c, &message) < 0:
                return 0
        labels.end = c.p
        while c.p < c.end:
            if read_tag(&c, &field, &wire_type) < 0:
                return 0
            if field != EXEMPLARS:
                if skip_field(&c, wire_type) < 0:
                    return 0
            elif wire_type != WIRE_BYTES or read_bytes(&c, &message) < 0:
                return 0
            else:
                self._keep(labels, message)
        return 0

    cdef int _keep(self, Cursor labels, Cursor message) except -1:
        cdef size_t labels_size = labels.end - labels.p
        cdef size_t message_size = message.end - message.p
        cdef size_t size = (sizeof(Entry) + labels_size + message_size + 7) & ~(<size_t>7)
        cdef Message read
        cdef Entry entry
        cdef uint64_t series, seen
        if size > self._capacity // 4 or _read_message(message, &read, None) < 0:
            self.unfit += 1
            return 0
        if self._last == NULL:
            self._last = <uint64_t*>calloc(REMEMBERED, sizeof(uint64_t))
            if self._last == NULL:
                raise MemoryError
        series = label_hash(labels.p, labels_size, &PROCESS_KEY)
        seen = series ^ label_hash(message.p, message_size, &PROCESS_KEY)
        if self._last[series % REMEMBERED] == seen:
            return 0
        self._make_room(size)
        self._last[series % REMEMBERED] = seen
        entry.size = <uint32_t>size
        entry.labels = <uint32_t>labels_size
        entry.message = <uint32_t>message_size
        entry.unused = 0
        entry.timestamp = read.timestamp
        memcpy(self._data + self._used, &entry, sizeof(Entry))
        memcpy(self._data + self._used + sizeof(Entry), labels.p, labels_size)
        memcpy(self._data + self._used + sizeof(Entry) + labels_size, message.p, message_size)
        self._used += size
        self.kept += 1
        return 0

    cdef int _make_room(self, size_t size) except -1:
        cdef size_t wanted = self._room
        cdef size_t gone = 0
        cdef uint8_t* data
        if self._used + size <= self._room:
            return 0
        while wanted < self._used + size:
            wanted = 2 * wanted if wanted else FIRST_ROOM
        if wanted > self._capacity:
            wanted = self._capacity
        if wanted > self._room:
            data = <uint8_t*>realloc(self._data, wanted)
            if data == NULL:
                raise MemoryError
            self._data = data
            self._room = wanted
        if self._used + size <= self._room:
            return 0
        while gone < self._used and (gone < self._room // 4 or self._used - gone + size > self._room):
            gone += (<const Entry*>(self._data + gone)).size
            self.kept -= 1
            self.evicted += 1
        memmove(self._data, self._data + gone, self._used - gone)
        self._used -= gone
        return 0

    def select(self, matchers, int64_t mint, int64_t maxt):
        # A copy first: a matcher is Python, and lets other threads change the buffer.
        cdef bytes held = PyBytes_FromStringAndSize(<char*>self._data, self._used)
        cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(held)
        cdef const uint8_t* end = p + len(held)
        cdef const Entry* entry
        cdef Cursor labels, message
        cdef Message read
        found = {}
        while p < end:
            entry = <const Entry*>p
            p += entry.size
            if not mint <= entry.timestamp <= maxt:
                continue
            labels.p = <const uint8_t*>entry + sizeof(Entry)
            labels.end = labels.p + entry.labels
            key = labels.p[:entry.labels]
            if key not in found:
                series = _labels_of(labels)
                values = dict(series)
                passes = all(matcher.matches(values.get(matcher.name, b"")) for matcher in matchers)
                found[key] = (series, {}) if passes else None
            if found[key] is None:
                continue
            message.p = labels.end
            message.end = message.p + entry.message
            own = []
            _read_message(message, &read, own)
            # Equal messages are one exemplar, whatever came between them; the bits of the value keep NaN apart.
            found[key][1][read.timestamp, read.bits, tuple(own)] = None
        series = sorted((each for each in found.values() if each is not None), key=lambda each: each[0])
        return [
            SeriesExemplars(
                labels_of, [Exemplar(own, _double(bits), timestamp) for timestamp, bits, own in sorted(exemplars)]
            )
            for labels_of, exemplars in series
        ]


cdef double _double(uint64_t bits):
    cdef double value
    memcpy(&value, &bits, 8)
    return value
