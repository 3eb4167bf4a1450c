"""A tenant's relabel rules in the walk: after a series' labels are known to be a set, before anything is decided by them."""

from libc.stdint cimport uint32_t

from wire.canonical cimport LabelPair, _read_canonical_label
from wire.cursor cimport Cursor
from wire.draft cimport Elements
from wire.label_builder cimport builder_put
from wire.label_set cimport add_label, begin_labels, settle_labels
from wire.refusals cimport MISSING_NAME, SERIES_TOO_LARGE, TOO_MANY_LABELS
from wire.relabel cimport DROPPED, MAX_GROWN, OVERGROWN, RELABEL_NO_MEMORY, SAME, TOO_MANY, relabel, relabel_begin
from wire.walk cimport HISTOGRAMS, MALFORMED, NO_MEMORY, SAMPLES, Walk

cdef enum:
    # What rules may come to besides 0, reasons and what ends the walk.
    RELABELLED = -10    # the labels at hand are what they became, settled
    LEFT_OUT = -11      # the series is dropped

cdef inline int _outcome(Walk* w) noexcept nogil:
    cdef uint32_t i
    cdef int result = relabel(w.relabeler)
    cdef LabelPair* pairs = w.relabeler.builder.pairs
    if result == RELABEL_NO_MEMORY:
        return NO_MEMORY
    if result == DROPPED:
        return LEFT_OUT
    if result == OVERGROWN:
        return SERIES_TOO_LARGE
    if result == TOO_MANY:
        return TOO_MANY_LABELS
    if result == SAME:
        return TOO_MANY_LABELS if w.relabeler.builder.base > w.max_label_pairs else 0
    if begin_labels(&w.labels) < 0:
        return NO_MEMORY
    for i in range(w.relabeler.builder.count):
        add_label(&w.labels, pairs[i], True)
    if w.labels.count > w.max_label_pairs:
        w.labels.too_many = True
    result = settle_labels(&w.labels)
    return result if result else RELABELLED

cdef inline int relabel_run(Walk* w, Cursor run) noexcept nogil:
    """Rules over labels that are canonical: 0 where these stay as they are, or one of the above, a reason or NO_MEMORY."""
    cdef LabelPair pair
    if run.end - run.p > MAX_GROWN:
        return SERIES_TOO_LARGE
    relabel_begin(w.relabeler)
    while run.p < run.end:
        if _read_canonical_label(&run, &pair) < 0:
            return MALFORMED
        if builder_put(&w.relabeler.builder, &pair) < 0:
            return NO_MEMORY
    return _outcome(w)

cdef inline int relabel_labels(Walk* w, int settled) noexcept nogil:
    """As `relabel_run`, over the labels at hand, where settling them came to `settled`: a name may be set by a rule."""
    cdef uint32_t i
    cdef int result
    if settled and settled != MISSING_NAME:
        return settled
    if w.labels.bytes > MAX_GROWN:
        return SERIES_TOO_LARGE
    relabel_begin(w.relabeler)
    for i in range(w.labels.count):
        if builder_put(&w.relabeler.builder, &w.labels.pairs[i]) < 0:
            return NO_MEMORY
    result = _outcome(w)
    return result if result else settled

cdef inline void leave_out(Walk* w, const Elements* e) noexcept nogil:
    """Counts what a rule has dropped."""
    cdef int field
    for field in range(SAMPLES, HISTOGRAMS + 1):
        w.dropped[field] += e.found[field]
