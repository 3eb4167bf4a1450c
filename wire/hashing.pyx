"""The hash kernels, shown to Python: for the control paths and for the tests that hold them to mmh3."""

from wire.murmur3 cimport Hash128, jump_hash as _jump, murmur3_x64_128 as _x64_128, murmur3_x86_32 as _x86_32


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
