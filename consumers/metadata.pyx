"""Metadata entries as they stand in records, each once; its contract is in metadata.pyi.

A sender repeats the same entries for ever, so nearly every one is found by its bytes, and none is decoded before it is
read.
"""

from collections import OrderedDict, namedtuple

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from wire.cursor cimport Cursor, WIRE_BYTES, WIRE_VARINT, read_bytes, read_tag, read_varint, skip_field

FamilyMetadata = namedtuple("FamilyMetadata", "type help unit", module="consumers.metadata")

_TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

cdef enum:
    METADATA = 3         # field of a WriteRequest
    OVERHEAD = 120       # of a dictionary's entry and a bytes object, about


cdef tuple _decoded(bytes message):
    """(family, FamilyMetadata) of a MetricMetadata message, or None where it is none."""
    cdef Cursor c, text
    cdef uint32_t field, wire_type
    cdef uint64_t raw = 0
    texts = {2: "", 4: "", 5: ""}
    c.p = <const uint8_t*>PyBytes_AS_STRING(message)
    c.end = c.p + len(message)
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return None
        if field == 1:
            if wire_type != WIRE_VARINT or read_varint(&c, &raw) < 0:
                return None
        elif field == 2 or field == 4 or field == 5:
            if wire_type != WIRE_BYTES or read_bytes(&c, &text) < 0:
                return None
            texts[field] = text.p[:text.end - text.p].decode("utf-8", "replace")
        elif skip_field(&c, wire_type) < 0:
            return None
    return texts[2], FamilyMetadata(_TYPES[raw] if raw < len(_TYPES) else _TYPES[0], texts[4], texts[5])


cdef class Metadata:
    cdef size_t _capacity
    cdef object _messages        # MetricMetadata messages, the one sent last at the end
    cdef readonly size_t memory_bytes
    cdef readonly uint64_t evicted

    def __cinit__(self, size_t capacity):
        self._capacity = capacity
        self._messages = OrderedDict()

    @property
    def kept(self):
        return len(self._messages)

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
            if field != METADATA:
                if skip_field(&c, wire_type) < 0:
                    return
            elif wire_type != WIRE_BYTES or read_bytes(&c, &inner) < 0:
                return
            else:
                self._keep(inner.p[:inner.end - inner.p])

    cdef int _keep(self, bytes message) except -1:
        if message in self._messages:
            self._messages.move_to_end(message)
            return 0
        self._messages[message] = None
        self.memory_bytes += len(message) + OVERHEAD
        while self.memory_bytes > self._capacity:
            oldest, _ = self._messages.popitem(last=False)
            self.memory_bytes -= len(oldest) + OVERHEAD
            self.evicted += 1
        return 0

    def families(self):
        found = {}
        for message in reversed(list(self._messages)):
            decoded = _decoded(message)
            if decoded is not None:
                family, said = decoded
                known = found.setdefault(family, [])
                if said not in known:
                    known.append(said)
        return dict(sorted(found.items()))
