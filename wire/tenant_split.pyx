"""Divides a write request by the label that names each series' tenant; the contract is in tenant_split.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from wire.canonical cimport LabelPair, read_label
from wire.cursor cimport Cursor, WIRE_BYTES, read_bytes, read_tag, skip_field, varint_size, write_varint
from wire.piece cimport Piece, Pieces, add_piece, pieces_free
from wire.refusals cimport shown_text
from wire.tenant_split_v2 cimport (
    MALFORMED, NO_MEMORY, SplitV2, TOO_LARGE, begin_part, find_v2, part_bytes, put_series, split_v2_free, write_part
)
from wire.tenant_table cimport BEYOND, INVALID, MAX_TENANT_BYTES, OWN, TenantTable, tenant_number, tenants_free

from typing import NamedTuple

from wire.snappy import BodyTooLarge

SPLIT_REASONS = ("invalid_tenant", "too_many_tenants")  # in the order of their numbers
cdef size_t MAX_SIZE = 0x7FFFFFFF  # offsets of pieces are 32 bits wide


class Part(NamedTuple):
    tenant: str
    body: object
    refused: str = ""


cdef inline int find_label(Cursor entry, const uint8_t* label, size_t size, Cursor* value, Cursor* whole) noexcept nogil:
    """How often a TimeSeries has the label with a value, MALFORMED; of one, its value and the whole field."""
    cdef uint32_t field, wire_type
    cdef Cursor text
    cdef LabelPair pair
    cdef const uint8_t* start
    cdef int found = 0
    while entry.p < entry.end:
        start = entry.p
        if read_tag(&entry, &field, &wire_type) < 0:
            return MALFORMED
        if field != 1:
            if skip_field(&entry, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&entry, &text) < 0 or read_label(text, &pair) < 0:
            return MALFORMED
        if pair.name_size != size or pair.value_size == 0 or memcmp(pair.name, label, size):
            continue
        value.p = pair.value
        value.end = pair.value + pair.value_size
        whole.p = start
        whole.end = entry.p
        found += 1
    return found


cdef int walk_v1(
    const uint8_t* body, size_t size, const uint8_t* label, size_t label_size, Pieces* pieces, TenantTable* tenants
) noexcept nogil:
    cdef uint32_t field, wire_type
    cdef Cursor c, entry, value, whole
    cdef Piece* piece
    cdef int found
    c.p = body
    c.end = body + size
    while c.p < c.end:
        if read_tag(&c, &field, &wire_type) < 0:
            return MALFORMED
        if field != 1 and field != 3:
            if skip_field(&c, wire_type) < 0:
                return MALFORMED
            continue
        if wire_type != WIRE_BYTES or read_bytes(&c, &entry) < 0:
            return MALFORMED
        piece = add_piece(pieces)
        if piece == NULL:
            return NO_MEMORY
        piece.start = <uint32_t>(entry.p - body)
        piece.end = <uint32_t>(entry.end - body)
        piece.cut_start = piece.end
        piece.cut_size = 0
        piece.tenant = OWN
        piece.field = field
        if field == 3:
            continue
        found = find_label(entry, label, label_size, &value, &whole)
        if found < 0:
            return MALFORMED
        if found == 1:
            found = tenant_number(tenants, value)
            if found < 0:
                return NO_MEMORY
            piece.tenant = found
            piece.cut_start = <uint32_t>(whole.p - body)
            piece.cut_size = <uint32_t>(whole.end - whole.p)
    return 0


cdef int sort_pieces(const Pieces* pieces, uint32_t* order, size_t* ends, uint32_t tenants) noexcept nogil:
    """`order` is the pieces by tenant, each tenant's in the order of the body and up to its entry of `ends`."""
    cdef size_t i
    cdef size_t start = 0
    cdef size_t count
    cdef uint32_t tenant
    memset(ends, 0, tenants * sizeof(size_t))
    for i in range(pieces.count):
        ends[pieces.found[i].tenant] += 1
    for tenant in range(tenants):
        count = ends[tenant]
        ends[tenant] = start
        start += count
    for i in range(pieces.count):
        tenant = pieces.found[i].tenant
        order[ends[tenant]] = <uint32_t>i
        ends[tenant] += 1
    return 0


cdef bytes write_v1(const uint8_t* body, const Pieces* pieces, const uint32_t* order, size_t count):
    """The WriteRequest of one tenant."""
    cdef const Piece* piece
    cdef size_t i
    cdef size_t total = 0
    cdef uint32_t size
    cdef uint8_t* p
    for i in range(count):
        piece = &pieces.found[order[i]]
        size = piece.end - piece.start - piece.cut_size
        total += 1 + varint_size(size) + size
    part = PyBytes_FromStringAndSize(NULL, total)
    p = <uint8_t*>PyBytes_AS_STRING(part)
    with nogil:
        for i in range(count):
            piece = &pieces.found[order[i]]
            p[0] = <uint8_t>(piece.field << 3 | WIRE_BYTES)
            p = write_varint(p + 1, piece.end - piece.start - piece.cut_size)
            size = piece.cut_start - piece.start
            memcpy(p, body + piece.start, size)
            p += size
            size = piece.end - piece.cut_start - piece.cut_size
            memcpy(p, body + piece.cut_start + piece.cut_size, size)
            p += size
    return part


cdef bytes write_v2(
    SplitV2* s, const Pieces* pieces, const uint32_t* order, size_t count, uint32_t tenant, size_t room
):
    """The Request of one tenant; None where it is malformed, and BodyTooLarge beyond `room`."""
    cdef size_t i
    cdef int result = 0
    with nogil:
        begin_part(s)
        for i in range(count):
            result = put_series(s, &pieces.found[order[i]])
            if result == 0 and part_bytes(s) > room:
                result = TOO_LARGE
            if result < 0:
                break
    if result == NO_MEMORY:
        raise MemoryError
    if result == TOO_LARGE:
        raise BodyTooLarge(
            f"request names too many tenants and symbols for its size: tenant_number={tenant}",
            hint="send fewer series a request (max_samples_per_send)",
        )
    if result == MALFORMED:
        return None
    part = PyBytes_FromStringAndSize(NULL, part_bytes(s))
    write_part(s, <uint8_t*>PyBytes_AS_STRING(part))
    return part


cdef str shown_tenant(const TenantTable* tenants, uint32_t number):
    cdef Cursor name = tenants.names[number]
    cdef size_t size = name.end - name.p
    return shown_text(name.p, <uint32_t>(size if size < MAX_TENANT_BYTES else MAX_TENANT_BYTES))


cdef class TenantSplit:
    cdef bytes label

    def __init__(self, label):
        if not label:
            raise ValueError("label must not be empty")
        self.label = label.encode()

    def split(self, body, *, message=1, size_t max_bytes=1 << 30):
        cdef const uint8_t[::1] view = body
        cdef size_t size = view.shape[0]
        cdef TenantTable tenants
        cdef Pieces pieces
        cdef SplitV2 second
        cdef uint32_t* order = NULL
        cdef size_t* ends = NULL
        cdef uint32_t number
        cdef size_t start = 0
        cdef size_t total = 0
        cdef size_t count
        cdef const uint8_t* label = self.label
        cdef size_t label_size = len(self.label)
        cdef bint first = message == 1
        cdef int result
        whole = [Part("", body)]
        if size == 0 or size > MAX_SIZE:
            return whole
        memset(&tenants, 0, sizeof(TenantTable))
        memset(&pieces, 0, sizeof(Pieces))
        memset(&second, 0, sizeof(SplitV2))
        try:
            with nogil:
                if first:
                    result = walk_v1(&view[0], size, label, label_size, &pieces, &tenants)
                else:
                    result = find_v2(&second, &view[0], size, label, label_size, &pieces, &tenants)
            if result == NO_MEMORY:
                raise MemoryError
            if result == MALFORMED or tenants.names == NULL:
                return whole
            order = <uint32_t*>malloc(pieces.count * sizeof(uint32_t))
            ends = <size_t*>malloc(tenants.count * sizeof(size_t))
            if order == NULL or ends == NULL:
                raise MemoryError
            with nogil:
                sort_pieces(&pieces, order, ends, tenants.count)
            parts = []
            for number in range(tenants.count):
                count = ends[number] - start
                if count:
                    if first:
                        part = write_v1(&view[0], &pieces, order + start, count)
                    else:
                        part = write_v2(&second, &pieces, order + start, count, number, max_bytes - total)
                    if part is None:
                        return whole
                    total += len(part)
                    refused = SPLIT_REASONS[number - INVALID] if INVALID <= number <= BEYOND else ""
                    parts.append(Part("" if number == OWN else shown_tenant(&tenants, number), part, refused))
                start = ends[number]
            return parts
        finally:
            tenants_free(&tenants)
            pieces_free(&pieces)
            split_v2_free(&second)
            free(order)
            free(ends)
