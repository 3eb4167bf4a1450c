"""The hash kernels, shown to Python: for the control paths and for the tests that hold them to mmh3."""

from cpython cimport array
from libc.stdint cimport int32_t

from wire.murmur3 cimport Hash128, jump_hash as _jump, murmur3_x64_128 as _x64_128, murmur3_x86_32 as _x86_32

import array


def murmur3_x86_32(const unsigned char[::1] data not None, unsigned int seed=0):
    return _x86_32(&data[0] if data.shape[0] else NULL, data.shape[0], seed)


def murmur3_x64_128(const unsigned char[::1] data not None, unsigned int seed=0):
    cdef Hash128 h = _x64_128(&data[0] if data.shape[0] else NULL, data.shape[0], seed)
    return h.low, h.high


def jump_hash(unsigned long long key, int buckets):
    if buckets < 1:
        raise ValueError(f"no bucket to choose from: {buckets}")
    return _jump(key, buckets)


def tenant_seed(bytes tenant not None):
    """The seed that a tenant's series are hashed with."""
    return murmur3_x86_32(tenant)


def shard_of(const unsigned char[::1] tenant not None, int size, int partitions):
    cdef const unsigned char* name = &tenant[0] if tenant.shape[0] else NULL
    cdef array.array chosen
    cdef int32_t* slots
    cdef int32_t partition, slot
    if size < 1 or partitions < 1:
        raise ValueError(f"no shard: size={size} partitions={partitions}")
    chosen = array.array("i", range(min(size, partitions)))
    slots = <int32_t*>chosen.data.as_ints
    for partition in range(size, partitions):
        slot = <int32_t>(_x64_128(name, tenant.shape[0], partition).low % <unsigned long long>(partition + 1))
        if slot < size:
            slots[slot] = partition
    return chosen
