"""Relabel rules as the kernel has them: made once from the settings, read by any number of threads.

All memory behind the pointers belongs to the `RelabelRules` that made them.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from wire.arena cimport Arena, arena_take
from wire.automaton_walk cimport Automaton, NOT_THERE
from wire.label_builder cimport Slots
from wire.murmur3 cimport murmur3_x64_128
from wire.relabel_memo cimport Text

cdef extern from "string.h" nogil:
    void* memmem(const void* haystack, size_t size, const void* needle, size_t needle_size)

cdef enum:
    # Actions, in the order of ACTIONS in relabel.pyx.
    REPLACE = 0
    KEEP = 1
    DROP = 2
    KEEP_EQUAL = 3
    DROP_EQUAL = 4
    HASH_MOD = 5
    LABEL_MAP = 6
    LABEL_DROP = 7
    LABEL_KEEP = 8
    LOWERCASE = 9
    UPPERCASE = 10
    # What stands between a branch's prefix and suffix, as in relabel_regex.py.
    EXACT = 0
    ANY = 1
    SOME = 2
    INSIDE = 3
    NO_GROUP = -1

cdef struct Span:
    int32_t start    # below 0: from the end, which is ~0
    int32_t end
    bint taken       # the group takes part

cdef struct Branch:
    int wild
    Text prefix
    Text suffix
    const Span* spans
    uint32_t span_count

cdef struct Part:
    Text text
    int32_t group    # NO_GROUP: the text

cdef struct Template:
    const Part* parts
    uint32_t count

cdef struct Rule:
    int action
    uint32_t number
    const int32_t* sources       # slots
    uint32_t source_count
    Text separator
    int32_t target               # a slot, or NOWHERE where the template makes it
    Template target_template
    Template replacement
    uint64_t modulus
    bint by_regex                # RE2 says where groups lie, and the memo before it
    Automaton automaton          # where the pattern is not simple; says no, too, where RE2 says yes
    const Branch* branches
    uint32_t branch_count
    const uint32_t* exact        # by hash: the number of an exact branch and one; 0 where there is none
    uint32_t exact_room          # a power of two; 0 where branches are tried one by one
    bint only_exact
    uint64_t exact_sizes         # bit n: an exact branch is of n bytes; 63 is all from there on
    const int32_t* drops         # slots of the labels that a labeldrop of words takes off
    uint32_t drop_count

cdef struct Rules:
    Rule* rules
    uint32_t count
    Slots slots
    bint keeps_order

cdef struct Groups:
    const Branch* branch         # of a simple pattern
    const int32_t* ends          # or of an automaton that finds them

cdef inline Text span_of(Text value, const Groups* groups, int32_t group) noexcept nogil:
    cdef Text out
    cdef const Branch* branch = groups.branch
    cdef const Span* span
    cdef int64_t start, end
    if group == 0:
        return value
    out.data = value.data
    out.size = 0
    if groups.ends != NULL:
        if groups.ends[2 * group] != NOT_THERE:
            out.data = value.data + groups.ends[2 * group]
            out.size = groups.ends[2 * group + 1] - groups.ends[2 * group]
        return out
    if <uint32_t>group >= branch.span_count or not branch.spans[group].taken:
        return out
    span = &branch.spans[group]
    start = span.start if span.start >= 0 else <int64_t>value.size - ~span.start
    end = span.end if span.end >= 0 else <int64_t>value.size - ~span.end
    out.data = value.data + start
    out.size = <uint32_t>(end - start)
    return out

cdef inline bint branch_matches(const Branch* b, Text value) noexcept nogil:
    if b.wild == INSIDE:
        return memmem(value.data, value.size, b.prefix.data, b.prefix.size) != NULL
    if b.wild == EXACT:
        return value.size == b.prefix.size and memcmp(value.data, b.prefix.data, value.size) == 0
    if value.size < <uint64_t>b.prefix.size + b.suffix.size + (b.wild == SOME):
        return False
    if memcmp(value.data, b.prefix.data, b.prefix.size):
        return False
    return memcmp(value.data + value.size - b.suffix.size, b.suffix.data, b.suffix.size) == 0

cdef inline uint32_t _find_exact(const Rule* rule, Text value) noexcept nogil:
    """The number of the exact branch that matches, or `branch_count`."""
    cdef uint32_t mask = rule.exact_room - 1
    if not rule.exact_sizes >> (value.size if value.size < 63 else 63) & 1:
        return rule.branch_count
    cdef uint32_t at = <uint32_t>murmur3_x64_128(value.data, value.size, 0).low & mask
    cdef const Branch* branch
    while rule.exact[at]:
        branch = &rule.branches[rule.exact[at] - 1]
        if branch.prefix.size == value.size and memcmp(branch.prefix.data, value.data, value.size) == 0:
            return rule.exact[at] - 1
        at = (at + 1) & mask
    return rule.branch_count

cdef inline const Branch* simple_match(const Rule* rule, Text value) noexcept nogil:
    """The first branch that matches, which is the one that RE2 prefers; NULL where none does."""
    cdef uint32_t i
    cdef uint32_t first = rule.branch_count
    if rule.exact_room:
        first = _find_exact(rule, value)
        if rule.only_exact:
            return &rule.branches[first] if first < rule.branch_count else NULL
    for i in range(first):
        if rule.exact_room and rule.branches[i].wild == EXACT:
            continue
        if branch_matches(&rule.branches[i], value):
            return &rule.branches[i]
    return &rule.branches[first] if first < rule.branch_count else NULL

cdef inline int expand(Arena* texts, const Template* t, Text value, const Groups* groups, Text* out) noexcept nogil:
    """What a template becomes for a value that matched. -1 without memory."""
    cdef uint64_t size = 0
    cdef uint32_t i
    cdef Text part
    cdef uint8_t* data
    out.data = value.data
    out.size = 0
    if t.count == 1:  # needs no copy
        out[0] = t.parts[0].text if t.parts[0].group == NO_GROUP else span_of(value, groups, t.parts[0].group)
        return 0
    for i in range(t.count):
        size += t.parts[i].text.size if t.parts[i].group == NO_GROUP else span_of(value, groups, t.parts[i].group).size
    if size == 0:
        return 0
    if size > 0xFFFFFFFFu:
        return -1
    data = arena_take(texts, size)
    if data == NULL:
        return -1
    out.data = data
    out.size = <uint32_t>size
    for i in range(t.count):
        part = t.parts[i].text if t.parts[i].group == NO_GROUP else span_of(value, groups, t.parts[i].group)
        memcpy(data, part.data, part.size)
        data += part.size
    return 0
