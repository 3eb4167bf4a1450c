"""The lock and the Python face of a store; see head.pyi. No thread waits for the lock with the GIL held."""

import os
from collections import namedtuple

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock, PyThread_type_lock,
    WAIT_LOCK
)
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from consumers.label_hash cimport HashKey
from consumers.record cimport (
    RECORD_HISTOGRAM, RECORD_LABELS_SCATTERED, RECORD_MALFORMED, RECORD_NO_MEMORY, RECORD_OK, Record, record_free,
    record_parse
)
from consumers.seal cimport seal_window
from consumers.selection cimport selection_open
from consumers.store cimport (
    DUPLICATE_TIMESTAMP, OUT_OF_BOUNDS_FUTURE, OUT_OF_BOUNDS_PAST, REFUSALS, Store, Tally, TOO_MANY_WINDOWS,
    store_bytes, store_close, store_leave_out, store_settle, store_take
)
from tsdb.block_writer cimport BlockWriter
from wire.canonical cimport (
    LABELS_EMPTY, LABELS_MALFORMED, LABELS_NAMELESS, LABELS_NOT_UTF8, LABELS_UNORDERED
)

from forebay.errors import InvalidData

Counts = namedtuple(
    "Counts",
    "records appended stored duplicate rejected exemplars metadata deduplicated",
    defaults=(0,),
    module="consumers.head",
)
Bounds = namedtuple("Bounds", "max_age max_future max_windows", module="consumers.head")

cdef enum:
    EXEMPLARS = 1
    METADATA = 2

HOLDS_EXEMPLARS = EXEMPLARS
HOLDS_METADATA = METADATA

cdef int64_t MS_LIMIT = <int64_t>1 << 60  # of settings: sums with a time stay within 64 bits

REFUSAL_NAMES = {
    OUT_OF_BOUNDS_PAST: "out_of_bounds_past",
    OUT_OF_BOUNDS_FUTURE: "out_of_bounds_future",
    TOO_MANY_WINDOWS: "too_many_windows",
    DUPLICATE_TIMESTAMP: "duplicate_timestamp",
}
REASONS = {
    RECORD_MALFORMED: "not a WriteRequest",
    RECORD_LABELS_SCATTERED: "labels are not in one run at the beginning",
    RECORD_HISTOGRAM: "histogram cannot be stored",
    LABELS_MALFORMED: "labels are not in their shortest form",
    LABELS_EMPTY: "label name or value is empty",
    LABELS_UNORDERED: "labels are not in order",
    LABELS_NOT_UTF8: "labels are not UTF-8",
    LABELS_NAMELESS: "series has no name",
}

cdef HashKey PROCESS_KEY
_secret = os.urandom(sizeof(HashKey))
memcpy(&PROCESS_KEY, PyBytes_AS_STRING(_secret), sizeof(HashKey))
del _secret


cdef class Head:
    cdef Store _store
    cdef PyThread_type_lock _lock
    cdef bint _finished

    def __cinit__(self, *, unsigned int seed, int64_t window_ms, bounds):
        cdef int64_t max_age = bounds.max_age
        cdef int64_t max_future = bounds.max_future
        memset(&self._store, 0, sizeof(Store))
        if not 0 < window_ms < MS_LIMIT or not 0 <= max_age < MS_LIMIT or not 0 <= max_future < MS_LIMIT:
            raise ValueError(f"head bounds are out of range: window_ms={window_ms} bounds={bounds}")
        self._store.window_ms = window_ms
        self._store.max_age = max_age
        self._store.max_future = max_future
        self._store.max_windows = bounds.max_windows
        self._store.key = PROCESS_KEY
        self._store.key.k[0] ^= seed  # tenants probe their tables in different orders
        self._lock = PyThread_allocate_lock()
        if self._lock == NULL:
            raise MemoryError

    def __dealloc__(self):
        store_close(&self._store)
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    def append(self, value, int64_t append_time):
        cdef Py_buffer view
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        try:
            return self._take(<const uint8_t*>view.buf, view.len, append_time, True)
        finally:
            PyBuffer_Release(&view)

    def leave_out(self, value):
        cdef Py_buffer view
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        try:
            self._take(<const uint8_t*>view.buf, view.len, 0, False)
        finally:
            PyBuffer_Release(&view)

    cdef int _take(self, const uint8_t* data, size_t size, int64_t append_time, bint stored) except -1:
        """What the record holds besides samples."""
        cdef Record record
        cdef bint late = False
        cdef int held
        cdef size_t at
        cdef int status
        memset(&record, 0, sizeof(Record))
        with nogil:
            status = record_parse(&record, data, size, &self._store.key)
            if status == RECORD_OK:
                PyThread_acquire_lock(self._lock, WAIT_LOCK)
                late = self._finished
                if not late and stored:
                    status = store_take(&self._store, &record, append_time)
                elif not late:
                    store_leave_out(&self._store, &record)
                PyThread_release_lock(self._lock)
            at = record.at - data
            held = (EXEMPLARS if record.exemplars else 0) | (METADATA if record.metadata else 0)
            record_free(&record)
        if late:
            raise ValueError("head is finished: no record may follow")
        if status == RECORD_NO_MEMORY:
            raise MemoryError
        if status != RECORD_OK:
            raise InvalidData(f"record cannot be taken: reason={REASONS[status]!r} offset_in_record={at}")
        return held

    def finish(self):
        cdef int status
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            self._finished = True
            status = store_settle(&self._store)
            PyThread_release_lock(self._lock)
        if status < 0:
            raise MemoryError
        return self.counts

    @property
    def counts(self):
        cdef Tally tally
        cdef int i
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            tally = self._store.tally
            PyThread_release_lock(self._lock)
        rejected = {REFUSAL_NAMES[i]: tally.rejected[i] for i in range(REFUSALS) if tally.rejected[i]}
        return Counts(
            tally.records, tally.appended, tally.stored, tally.duplicate, rejected, tally.exemplars, tally.metadata,
            tally.deduplicated
        )

    @property
    def memory_bytes(self):
        cdef size_t held
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            held = store_bytes(&self._store)
            PyThread_release_lock(self._lock)
        return held

    @property
    def series(self):
        cdef uint32_t count
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            count = self._store.table.count
            PyThread_release_lock(self._lock)
        return count

    cdef list _opened(self):
        """Window starts in the order of opening; an append may replace their array at any time."""
        cdef int64_t held[64]
        cdef uint32_t count = 0
        cdef uint32_t at = 0
        cdef uint32_t i, n
        starts = []
        while True:
            with nogil:
                PyThread_acquire_lock(self._lock, WAIT_LOCK)
                count = self._store.windows_count
                n = count - at if count - at < 64 else 64
                if n:
                    memcpy(held, self._store.windows + at, n * sizeof(int64_t))
                PyThread_release_lock(self._lock)
            if n == 0:
                return starts
            for i in range(n):
                starts.append(held[i])
            at += n

    def windows(self):
        return sorted(self._opened())

    def write_block(self, window, directory):
        cdef BlockWriter writer
        cdef uint32_t ordinal
        if not self._finished or self._store.settled != self._store.table.count:
            raise ValueError("head is not finished: no block can be written")
        opened = self._opened()
        if window not in opened:
            raise ValueError(f"head holds no such window: window={window} windows={sorted(opened)}")
        ordinal = opened.index(window)
        writer = BlockWriter(directory)
        try:
            with nogil:
                seal_window(&self._store, ordinal, writer)
            return writer.finish()
        finally:
            writer.abort()

    def select(self, matchers, int64_t mint, int64_t maxt):
        return selection_open(self, &self._store, self._lock, matchers, mint, maxt)
