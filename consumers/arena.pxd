"""Memory of one head: a bump allocator that gives everything back at once, and chunk buffers that are used again.

Nothing moves once taken, so pointers stay good while the arena lives. `arena_reserve` is the only call that asks the
system for memory on behalf of an append: what it promised cannot fail afterwards. Not safe for two threads at a time.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef extern from "sys/mman.h" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int descriptor, long offset)
    int munmap(void* address, size_t length)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS
    void* MAP_FAILED

cdef enum:
    ARENA_FIRST_BLOCK = 4 << 10    # a tenant with ten series should cost pages, not megabytes
    ARENA_BLOCK = 1 << 20
    MAP_FROM = 128 << 10           # from here on pages come from the kernel and go back to it
    BUFFER_CLASSES = 14

cdef inline uint32_t buffer_size(uint32_t size_class) noexcept nogil:
    """Bytes of a buffer class: 32, 48, 64, 96, ... 1536, 2048 and 4096 for the rare chunk of incompressible samples."""
    if size_class == BUFFER_CLASSES - 1:
        return 4096
    return (<uint32_t>48 if size_class & 1 else <uint32_t>32) << (size_class >> 1)

cdef inline void* system_take(size_t size) noexcept nogil:
    """Zeroed memory, or NULL; `size` is told again when it goes back."""
    cdef void* p
    if size < MAP_FROM:
        return calloc(1, size)
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return NULL if p == MAP_FAILED else p

cdef inline void system_give(void* p, size_t size) noexcept nogil:
    if p != NULL:
        if size < MAP_FROM:
            free(p)
        else:
            munmap(p, size)

cdef struct ArenaBlock:
    ArenaBlock* next
    size_t size

cdef struct Arena:
    ArenaBlock* blocks
    ArenaBlock* spare              # taken over when the current block is full
    uint8_t* at
    uint8_t* end
    size_t bytes                   # held from the system, the spare block included
    void* buffers[BUFFER_CLASSES]  # free lists, linked through their first bytes

cdef inline void arena_open(Arena* a) noexcept nogil:
    memset(a, 0, sizeof(Arena))

cdef inline void arena_close(Arena* a) noexcept nogil:
    cdef ArenaBlock* block
    while a.blocks != NULL:
        block = a.blocks
        a.blocks = block.next
        system_give(block, block.size)
    if a.spare != NULL:
        system_give(a.spare, a.spare.size)
    memset(a, 0, sizeof(Arena))

cdef inline int arena_reserve(Arena* a, size_t need) noexcept nogil:
    """Makes the next takes of `need` bytes in all (each rounded up to 8) certain; -1 where the system has no memory."""
    cdef size_t size
    cdef ArenaBlock* block
    if need <= <size_t>(a.end - a.at):
        return 0
    need += sizeof(ArenaBlock)
    if a.spare != NULL:
        if a.spare.size >= need:
            return 0
        a.bytes -= a.spare.size
        system_give(a.spare, a.spare.size)
        a.spare = NULL
    size = a.bytes // 2  # blocks grow with the head: at most a third of a small one is unused
    if size < ARENA_FIRST_BLOCK:
        size = ARENA_FIRST_BLOCK
    if size > ARENA_BLOCK:
        size = ARENA_BLOCK
    if size < need:
        size = need
    size = (size + 4095) & ~<size_t>4095
    block = <ArenaBlock*>system_take(size)
    if block == NULL:
        return -1
    block.size = size
    a.spare = block
    a.bytes += size
    return 0

cdef inline void* arena_take(Arena* a, size_t size) noexcept nogil:
    """`size` bytes, aligned to 8 and not zeroed; NULL only where they were not reserved."""
    cdef uint8_t* p
    size = (size + 7) & ~<size_t>7
    if size > <size_t>(a.end - a.at):
        if a.spare == NULL or size > a.spare.size - sizeof(ArenaBlock):
            return NULL
        a.spare.next = a.blocks
        a.blocks = a.spare
        a.spare = NULL
        a.at = <uint8_t*>a.blocks + sizeof(ArenaBlock)
        a.end = <uint8_t*>a.blocks + a.blocks.size
    p = a.at
    a.at += size
    return p

cdef inline uint8_t* buffer_take(Arena* a, uint32_t size_class) noexcept nogil:
    """A chunk buffer of a class; NULL only where `buffer_size` bytes were not reserved."""
    cdef void* p = a.buffers[size_class]
    if p != NULL:
        a.buffers[size_class] = (<void**>p)[0]
        return <uint8_t*>p
    return <uint8_t*>arena_take(a, buffer_size(size_class))

cdef inline void buffer_give(Arena* a, uint8_t* p, uint32_t size_class) noexcept nogil:
    (<void**>p)[0] = a.buffers[size_class]
    a.buffers[size_class] = p

cdef inline uint32_t buffer_class(uint32_t size) noexcept nogil:
    """The smallest class of at least `size` bytes; BUFFER_CLASSES where none is."""
    cdef uint32_t size_class = 0
    while size_class < BUFFER_CLASSES and buffer_size(size_class) < size:
        size_class += 1
    return size_class
