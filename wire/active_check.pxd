"""Whether the accepted series of a request may be active: asked of the tenant's set once all of them are known.

Looking a hash up costs a wait for memory; asked one behind the other, and each some places ahead, the waits overlap. So
the walk notes what it accepted, and what is refused in the end is taken back out of its plan.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from wire.cursor cimport Cursor
from wire.plan cimport IS_METADATA, _grown, plan_drop, plan_remove_dropped
from wire.refusals cimport ACTIVE_SERIES, overlook, refuse
from wire.series_set cimport (
    ActiveSeries, SERIES_REFUSED, active_admit, active_prefetch, pthread_mutex_lock, pthread_mutex_unlock
)
from wire.walk cimport EXEMPLARS, HISTOGRAMS, LABELS, NO_MEMORY, NotedSeries, SAMPLES, Walk

cdef enum:
    AHEAD = 16
    REFUSED = 0x80000000u   # a plan has less entries than that: its bytes are that many at most

cdef struct Mark:
    uint64_t accepted[5]
    size_t entries       # of the plan

cdef inline Mark mark_walk(const Walk* w) noexcept nogil:
    """Where the walk stands before a series."""
    cdef Mark mark
    memcpy(mark.accepted, w.accepted, sizeof(mark.accepted))
    mark.entries = w.plan.count
    return mark

cdef inline int note_series(Walk* w, Cursor entry, const Mark* mark) noexcept nogil:
    """Notes the series since the mark, if it was accepted and that is to be known; 0 or NO_MEMORY."""
    cdef const uint64_t* before = mark.accepted
    cdef NotedSeries* noted
    if w.active == NULL or w.accepted[LABELS] == before[LABELS]:
        return 0
    noted = <NotedSeries*>_grown(w.noted, &w.noted_room, w.noted_count + 1, sizeof(NotedSeries))
    if noted == NULL:
        return NO_MEMORY
    w.noted = noted
    noted += w.noted_count
    noted.hash = w.hash
    noted.offset = <uint32_t>(entry.p - w.body)
    noted.size = <uint32_t>(entry.end - entry.p)
    noted.first = <uint32_t>mark.entries
    noted.samples = <uint32_t>(w.accepted[SAMPLES] - before[SAMPLES])
    noted.histograms = <uint32_t>(w.accepted[HISTOGRAMS] - before[HISTOGRAMS])
    noted.exemplars = <uint32_t>(w.accepted[EXEMPLARS] - before[EXEMPLARS])
    w.noted_count += 1
    return 0

cdef inline void _take_back(Walk* w, size_t number) noexcept nogil:
    cdef const NotedSeries* noted = w.noted + number
    cdef size_t end = w.noted[number + 1].first & ~REFUSED if number + 1 < w.noted_count else w.plan.count
    cdef size_t i
    for i in range(noted.first & ~REFUSED, end):
        if not w.plan.entries[i].place & IS_METADATA:
            plan_drop(&w.plan, i)
    w.accepted[LABELS] -= 1
    w.accepted[SAMPLES] -= noted.samples
    w.accepted[HISTOGRAMS] -= noted.histograms
    w.accepted[EXEMPLARS] -= noted.exemplars

cdef inline void check_active(Walk* w) noexcept nogil:
    """Asks for each series that was noted, where there is a limit; before the plan has records."""
    cdef ActiveSeries* active = w.active
    cdef uint64_t refused = 0
    cdef const NotedSeries* noted
    cdef uint64_t samples
    cdef Cursor entry
    cdef size_t i
    if active == NULL:
        return
    pthread_mutex_lock(&active.mutex)
    for i in range(w.noted_count):
        if i + AHEAD < w.noted_count:
            active_prefetch(active, w.noted[i + AHEAD].hash)
        if active_admit(active, w.noted[i].hash) == SERIES_REFUSED:
            w.noted[i].first |= REFUSED
            refused += 1
    pthread_mutex_unlock(&active.mutex)
    if refused == 0:
        return
    for i in range(w.noted_count):
        noted = w.noted + i
        if not noted.first & REFUSED:
            continue
        samples = noted.samples + noted.histograms
        if samples == 0:
            samples = 1
        if overlook(&w.refusals, ACTIVE_SERIES, samples):
            continue
        entry.p = w.body + noted.offset
        entry.end = entry.p + noted.size
        refuse(&w.refusals, ACTIVE_SERIES, samples, entry, NULL, False)
        _take_back(w, i)
    plan_remove_dropped(&w.plan)
