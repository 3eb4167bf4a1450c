"""Whether the accepted series of a request may be active: asked of the tenant's set once all of them are known.

Looking a hash up costs a wait for memory; asked one behind the other, and each some places ahead, the waits overlap. So
the walk notes what it accepted, and what is refused in the end is taken back out of its plan.
"""

from libc.stdint cimport uint32_t, uint64_t

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

cdef inline int note_series(Walk* w, Cursor entry) noexcept nogil:
    """Notes the series that was walked last, if it was accepted and that is to be known; 0 or NO_MEMORY."""
    cdef NotedSeries* noted
    if w.active == NULL or w.accepted[LABELS] == w.noted_count:
        return 0
    noted = <NotedSeries*>_grown(w.noted, &w.noted_room, w.noted_count + 1, sizeof(NotedSeries))
    if noted == NULL:
        return NO_MEMORY
    w.noted = noted
    noted += w.noted_count
    noted.offset = <uint32_t>(entry.p - w.body)
    noted.size = <uint32_t>(entry.end - entry.p)
    noted.entries = <uint32_t>w.plan.count
    noted.samples = <uint32_t>w.accepted[SAMPLES]
    noted.histograms = <uint32_t>w.accepted[HISTOGRAMS]
    noted.exemplars = <uint32_t>w.accepted[EXEMPLARS]
    w.noted_count += 1
    return 0

cdef inline NotedSeries _own(const Walk* w, size_t number) noexcept nogil:
    """What is of this series alone, but for `entries`: the first of its entries in the plan."""
    cdef NotedSeries own = w.noted[number]
    own.entries = 0
    if number:
        own.entries = w.noted[number - 1].entries & ~REFUSED
        own.samples -= w.noted[number - 1].samples
        own.histograms -= w.noted[number - 1].histograms
        own.exemplars -= w.noted[number - 1].exemplars
    return own

cdef inline void _take_back(Walk* w, const NotedSeries* own, size_t end) noexcept nogil:
    cdef size_t i
    for i in range(own.entries, end):
        if not w.plan.entries[i].place & IS_METADATA:
            plan_drop(&w.plan, i)
    w.accepted[LABELS] -= 1
    w.accepted[SAMPLES] -= own.samples
    w.accepted[HISTOGRAMS] -= own.histograms
    w.accepted[EXEMPLARS] -= own.exemplars

cdef inline void check_active(Walk* w) noexcept nogil:
    """Asks for each series that was noted, where there is a limit; before the plan has records."""
    cdef ActiveSeries* active = w.active
    cdef uint64_t refused = 0
    cdef NotedSeries own
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
            w.noted[i].entries |= REFUSED
            refused += 1
    pthread_mutex_unlock(&active.mutex)
    if refused == 0:
        return
    for i in range(w.noted_count):
        if not w.noted[i].entries & REFUSED:
            continue
        own = _own(w, i)
        samples = own.samples + own.histograms
        if samples == 0:
            samples = 1
        if overlook(&w.refusals, ACTIVE_SERIES, samples):
            continue
        entry.p = w.body + own.offset
        entry.end = entry.p + own.size
        refuse(&w.refusals, ACTIVE_SERIES, samples, entry, NULL, False)
        _take_back(w, &own, w.noted[i].entries & ~REFUSED)
    plan_remove_dropped(&w.plan)
