"""The walk of a value through one of `automaton.py`'s tables."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

from wire.relabel_memo cimport Text

cdef enum:
    ENDS = 32          # of 16 groups, the whole first
    NOT_THERE = -1

cdef struct Automaton:
    const uint8_t* classes
    uint32_t width          # 0: there is none
    const uint16_t* next
    const uint32_t* marks   # NULL: it only says whether a value matches
    const uint32_t* accepts

cdef inline bint automaton_matches(const Automaton* a, Text value) noexcept nogil:
    cdef uint32_t state = 1
    cdef uint32_t i
    for i in range(value.size):
        state = a.next[state * a.width + a.classes[value.data[i]]]
        if state == 0:
            return False
    return a.accepts[state] != 0

cdef inline void _mark(int32_t* ends, uint32_t marks, int32_t at) noexcept nogil:
    cdef int number = 0
    while marks:
        if marks & 1:
            ends[number] = at
        marks >>= 1
        number += 1

cdef inline bint automaton_finds(const Automaton* a, Text value, int32_t* ends) noexcept nogil:
    """Whether it matches; then `ends` holds where each group begins and ends, NOT_THERE where it took no part."""
    cdef uint32_t state = 1
    cdef uint32_t cell, i, number
    for number in range(ENDS):
        ends[number] = NOT_THERE
    for i in range(value.size):
        cell = state * a.width + a.classes[value.data[i]]
        if a.marks[cell]:
            _mark(ends, a.marks[cell], <int32_t>i)
        state = a.next[cell]
        if state == 0:
            return False
    if a.accepts[state] == 0:
        return False
    _mark(ends, a.accepts[state] >> 1, <int32_t>value.size)
    ends[0] = 0
    ends[1] = <int32_t>value.size
    return True
