"""How much memory a protobuf message takes when it is decoded into objects. The contract is in decoded_size.pyi."""

from libc.stdint cimport int16_t, uint32_t, uint64_t

from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field

from forebay.errors import InvalidData

cdef enum:
    MAX_TYPES = 64
    MAX_FIELDS = 32
    MAX_DEPTH = 128  # protobuf's runtime stops at 100
    MESSAGE = 144  # bytes of an object, of a repeated field's pointer to it, and of the growth of that field
    TEXT = 32  # a string's place in its message or in a repeated field; its bytes are a copy
    NUMBER = 24  # of a repeated one: eight, and what growing an array of them leaves behind
    PACKED = -1
    NOTHING = -2


cdef class DecodedSize:
    cdef int16_t _types[MAX_TYPES][MAX_FIELDS]

    def __init__(self, messages):
        cdef int number, child
        if not 0 < len(messages) <= MAX_TYPES:
            raise ValueError(f"too many types of messages: {len(messages)}")
        for index, fields in enumerate(messages):
            for number in range(MAX_FIELDS):
                self._types[<int>index][number] = NOTHING
            for field, kind in fields.items():
                number = field
                child = kind
                if not 0 < number < MAX_FIELDS or not PACKED <= child < len(messages):
                    raise ValueError(f"not a field: {field}: {kind}")
                self._types[<int>index][number] = child

    def of(self, const unsigned char[::1] body not None):
        cdef Cursor cursor
        cdef uint64_t size = MESSAGE
        cdef int result
        if body.shape[0] == 0:
            return size
        cursor.p = &body[0]
        cursor.end = cursor.p + body.shape[0]
        with nogil:
            result = self._walk(cursor, 0, 0, &size)
        if result < 0:
            # The runtime skips groups, which no message of ours has: what stands behind one must not go uncounted.
            raise InvalidData(f"malformed or nested too deep: bytes={body.shape[0]}")
        return size

    cdef int _walk(self, Cursor c, int kind, int depth, uint64_t* size) noexcept nogil:
        """Adds what the message's fields take; -1 where it is malformed."""
        cdef uint32_t field, wire_type
        cdef int child
        cdef Cursor inner
        while c.p < c.end:
            if read_tag(&c, &field, &wire_type) < 0:
                return -1
            if wire_type != WIRE_BYTES:
                if skip_field(&c, wire_type) < 0:
                    return -1
                size[0] += NUMBER
                continue
            if read_bytes(&c, &inner) < 0:
                return -1
            child = self._types[kind][field] if field < MAX_FIELDS else NOTHING
            if child == PACKED:
                size[0] += NUMBER * <uint64_t>(inner.end - inner.p)
            elif child == NOTHING:
                size[0] += TEXT + <uint64_t>(inner.end - inner.p)
            else:
                size[0] += MESSAGE
                if depth == MAX_DEPTH or self._walk(inner, child, depth + 1, size) < 0:
                    return -1
        return 0
