"""How much memory a protobuf message takes when it is decoded into objects. The contract is in decoded_size.pyi."""

from libc.stdint cimport int16_t, uint32_t, uint64_t

from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field

from forebay.errors import InvalidData

cdef enum:
    MAX_TYPES = 64
    MAX_FIELDS = 32
    MAX_DEPTH = 128  # protobuf's runtime stops at 100
    TEXT = 48  # the place of a string, or of what is unknown, in a list that has grown; its bytes are a copy
    NUMBER = 24  # of a repeated one: eight, and what growth leaves behind
    NUMBERS = -1
    NUMBER_ALONE = -2  # has its place in the message
    UNKNOWN = -3


cdef class DecodedSize:
    cdef int16_t _types[MAX_TYPES][MAX_FIELDS]
    cdef uint32_t _sizes[MAX_TYPES]

    def __init__(self, messages):
        cdef int number, child
        if not 0 < len(messages) <= MAX_TYPES:
            raise ValueError(f"too many types of messages: {len(messages)}")
        for index, (size, fields) in enumerate(messages):
            self._sizes[<int>index] = size
            for number in range(MAX_FIELDS):
                self._types[<int>index][number] = UNKNOWN
            for field, kind in fields.items():
                number = field
                child = kind
                if not 0 < number < MAX_FIELDS or not NUMBER_ALONE <= child < len(messages):
                    raise ValueError(f"not a field: {field}: {kind}")
                self._types[<int>index][number] = child

    def of(self, const unsigned char[::1] body not None):
        cdef Cursor cursor
        cdef uint64_t size = self._sizes[0]
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
            child = self._types[kind][field] if field < MAX_FIELDS else UNKNOWN
            if wire_type != WIRE_BYTES:
                if skip_field(&c, wire_type) < 0:
                    return -1
                size[0] += 0 if child == NUMBER_ALONE else NUMBER if child == NUMBERS else TEXT
                continue
            if read_bytes(&c, &inner) < 0:
                return -1
            if child == NUMBERS:
                size[0] += NUMBER * <uint64_t>(inner.end - inner.p)
            elif child < 0:
                size[0] += TEXT + <uint64_t>(inner.end - inner.p)
            else:
                size[0] += self._sizes[child]
                if depth == MAX_DEPTH or self._walk(inner, child, depth + 1, size) < 0:
                    return -1
        return 0
