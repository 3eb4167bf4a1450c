"""The lock and the Python face of a store; see head.pyi. No thread waits for the lock with the GIL held."""

import os
from collections import namedtuple

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock, PyThread_type_lock,
    WAIT_LOCK
)
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from consumers.expansion cimport expansion_bound, write_expansion
from consumers.known cimport store_inherit, store_resolve_hashed, store_teach
from consumers.label_hash cimport HashKey
from consumers.record cimport (
    HASH_SIZE, RECORD_FIELDS_UNORDERED, RECORD_HISTOGRAM, RECORD_LABELS_SCATTERED, RECORD_MALFORMED, RECORD_NO_MEMORY,
    RECORD_OK, RECORD_ROWS, RECORD_UNKNOWN_LABELS, Record, record_free, record_parse, record_parse_v2
)
from consumers.seal cimport seal_window
from consumers.selection cimport selection_open
from consumers.store cimport (
    DUPLICATE_TIMESTAMP, OUT_OF_BOUNDS_FUTURE, OUT_OF_BOUNDS_PAST, REFUSALS, Store, Tally, TOO_MANY_WINDOWS,
    store_bytes, store_close, store_leave_out, store_settle, store_take, store_take_resolved
)
from tsdb.block_writer cimport BlockWriter
from wire.canonical cimport (
    LABELS_EMPTY, LABELS_MALFORMED, LABELS_NAMELESS, LABELS_NOT_UTF8, LABELS_UNORDERED
)

from broker.record import UnsupportedRecord
from consumers.errors import LabelsUnknown
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

cdef enum:
    # What is to become of a record.
    STORE = 0
    LEAVE_OUT = 1
    TEACH = 2

    RECORD_WINDOW_TOO_LONG = 32   # one more reason besides record.pxd's

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
    RECORD_FIELDS_UNORDERED: "fields are out of order, repeated or missing",
    RECORD_ROWS: "rows are cut off or more than they say",
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


cdef int _take_v2(Store* s, Record* r, int64_t append_time, uint64_t offset, int fate) noexcept nogil:
    cdef int status = store_teach(s, r, offset)
    if status != RECORD_OK or fate == TEACH:
        return status
    if fate == LEAVE_OUT:
        store_leave_out(s, r)
        return RECORD_OK
    status = store_resolve_hashed(s, r)
    return status if status != RECORD_OK else store_take_resolved(s, r, append_time)


cdef class Head:
    cdef Store _store
    cdef PyThread_type_lock _lock
    cdef bint _finished
    cdef int64_t _label_window

    def __cinit__(self, *, unsigned int seed, int64_t window_ms, bounds, int64_t label_window=MS_LIMIT):
        cdef int64_t max_age = bounds.max_age
        cdef int64_t max_future = bounds.max_future
        memset(&self._store, 0, sizeof(Store))
        if not 0 < window_ms < MS_LIMIT or not 0 <= max_age < MS_LIMIT or not 0 <= max_future < MS_LIMIT:
            raise ValueError(f"head bounds are out of range: window_ms={window_ms} bounds={bounds}")
        self._store.window_ms = window_ms
        self._store.max_age = max_age
        self._store.max_future = max_future
        self._store.max_windows = bounds.max_windows
        self._store.seed = seed
        self._store.key = PROCESS_KEY
        self._store.key.k[0] ^= seed  # tenants probe their tables in different orders
        self._label_window = label_window
        self._lock = PyThread_allocate_lock()
        if self._lock == NULL:
            raise MemoryError

    def __dealloc__(self):
        store_close(&self._store)
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    def append(self, value, int64_t append_time, int version=1, uint64_t offset=0):
        return self._take(value, append_time, version, offset, STORE)

    def leave_out(self, value, int version=1, uint64_t offset=0):
        self._take(value, 0, version, offset, LEAVE_OUT)

    def teach(self, value, uint64_t offset):
        self._take(value, 0, 2, offset, TEACH)

    cdef int _take(self, value, int64_t append_time, int version, uint64_t offset, int fate) except -1:
        """What the record holds besides samples."""
        cdef Record record
        cdef Py_buffer view
        cdef const uint8_t* data
        cdef bint late = False
        cdef int held
        cdef size_t at
        cdef int status
        memset(&record, 0, sizeof(Record))
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        data = <const uint8_t*>view.buf
        try:
            with nogil:
                if version == 2:
                    status = record_parse_v2(&record, data, view.len, &self._store.key)
                else:
                    status = record_parse(&record, data, view.len, &self._store.key)
                if status == RECORD_OK and fate != TEACH and record.label_window > self._label_window:
                    status = RECORD_WINDOW_TOO_LONG
                if status == RECORD_OK:
                    PyThread_acquire_lock(self._lock, WAIT_LOCK)
                    late = self._finished
                    if late:
                        pass
                    elif version == 2:
                        status = _take_v2(&self._store, &record, append_time, offset, fate)
                    elif fate == STORE:
                        status = store_take(&self._store, &record, append_time)
                    else:
                        store_leave_out(&self._store, &record)
                    PyThread_release_lock(self._lock)
                at = record.at - data
                held = (EXEMPLARS if record.exemplars else 0) | (METADATA if record.metadata else 0)
            if late:
                raise ValueError("head is finished: no record may follow")
            if status != RECORD_OK:
                self._refuse(status, record, at)
            return held
        finally:
            record_free(&record)
            PyBuffer_Release(&view)

    cdef int _refuse(self, int status, Record record, size_t at) except -1:
        if status == RECORD_NO_MEMORY:
            raise MemoryError
        if status == RECORD_UNKNOWN_LABELS:
            raise LabelsUnknown(
                f"series hash resolves to no labels: hash={record.at[:HASH_SIZE].hex()}",
                hint="forebay quarantine replay looks for them further back in the log",
            )
        if status == RECORD_WINDOW_TOO_LONG:
            raise UnsupportedRecord(
                f"record relies on labels from further back than is looked: label_window_ms={record.label_window} "
                f"here={self._label_window}",
                hint=f"set broker.label_window to at least {record.label_window}ms for consumers, before gateways",
            )
        raise InvalidData(f"record cannot be taken: reason={REASONS[status]!r} offset_in_record={at}")

    def expand(self, value, uint64_t offset):
        cdef Record record
        cdef Py_buffer view
        cdef const uint8_t* data
        cdef uint8_t* room = NULL
        cdef uint8_t* end
        cdef int status
        memset(&record, 0, sizeof(Record))
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        data = <const uint8_t*>view.buf
        try:
            with nogil:
                PyThread_acquire_lock(self._lock, WAIT_LOCK)
                status = record_parse_v2(&record, data, view.len, &self._store.key)
                if status == RECORD_OK:
                    status = _take_v2(&self._store, &record, 0, offset, TEACH)
                if status == RECORD_OK:
                    status = store_resolve_hashed(&self._store, &record)
                if status == RECORD_OK:
                    room = <uint8_t*>malloc(expansion_bound(&record, view.len) + 1)
                    if room == NULL:
                        status = RECORD_NO_MEMORY
                    else:
                        end = write_expansion(&record, data, view.len, room)
                PyThread_release_lock(self._lock)
            if status != RECORD_OK:
                self._refuse(status, record, record.at - data)
            return PyBytes_FromStringAndSize(<char*>room, end - room)
        finally:
            free(room)
            record_free(&record)
            PyBuffer_Release(&view)

    def heir(self, uint64_t since):
        cdef Head heir = Head(
            seed=self._store.seed,
            window_ms=self._store.window_ms,
            bounds=Bounds(self._store.max_age, self._store.max_future, self._store.max_windows),
            label_window=self._label_window,
        )
        cdef int status
        heir._store.since = since
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            status = store_inherit(&heir._store, &self._store, since)
            PyThread_release_lock(self._lock)
        if status < 0:
            raise MemoryError
        return heir

    def forget(self, uint64_t since):
        with nogil:
            PyThread_acquire_lock(self._lock, WAIT_LOCK)
            self._store.since = since
            PyThread_release_lock(self._lock)

    @property
    def known(self):
        return self._store.known.count

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
            count = self._store.stocked
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
