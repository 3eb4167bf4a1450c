"""CRC32C: the processor's instruction where it is there (found at import), eight tables else."""

from libc.stdint cimport uint8_t, uint32_t

cdef extern from * nogil:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    static uint32_t crc32c_table[8][256];

    static void crc32c_fill_table(void) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1)));
            crc32c_table[0][i] = crc;
        }
        for (uint32_t i = 0; i < 256; i++)
            for (int k = 1; k < 8; k++) {
                uint32_t before = crc32c_table[k - 1][i];
                crc32c_table[k][i] = (before >> 8) ^ crc32c_table[0][before & 0xFF];
            }
    }

    static uint32_t crc32c_by_table(uint32_t crc, const uint8_t *p, size_t n) {
        crc = ~crc;
        while (n >= 8) {
            uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
            crc = crc32c_table[7][low & 0xFF] ^ crc32c_table[6][(low >> 8) & 0xFF]
                ^ crc32c_table[5][(low >> 16) & 0xFF] ^ crc32c_table[4][low >> 24]
                ^ crc32c_table[3][p[4]] ^ crc32c_table[2][p[5]] ^ crc32c_table[1][p[6]] ^ crc32c_table[0][p[7]];
            p += 8;
            n -= 8;
        }
        while (n--)
            crc = (crc >> 8) ^ crc32c_table[0][(crc ^ *p++) & 0xFF];
        return ~crc;
    }

    #if defined(__x86_64__) && defined(__GNUC__)
    __attribute__((target("sse4.2")))
    static uint32_t crc32c_by_instruction(uint32_t start, const uint8_t *p, size_t n) {
        uint64_t crc = (uint32_t)~start;
        uint64_t word;
        while (n >= 8) {
            memcpy(&word, p, 8);
            crc = __builtin_ia32_crc32di(crc, word);
            p += 8;
            n -= 8;
        }
        while (n--)
            crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
        return ~(uint32_t)crc;
    }
    static int crc32c_has_instruction(void) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("sse4.2");
    }
    #else
    #define crc32c_by_instruction crc32c_by_table
    static int crc32c_has_instruction(void) { return 0; }
    #endif
    """
    void crc32c_fill_table()
    bint crc32c_has_instruction()
    uint32_t crc32c_by_table(uint32_t crc, const uint8_t* data, size_t size)
    uint32_t crc32c_by_instruction(uint32_t crc, const uint8_t* data, size_t size)

crc32c_fill_table()
cdef bint _instruction = crc32c_has_instruction()

cdef uint32_t crc32c_update(uint32_t crc, const uint8_t* data, size_t size) noexcept nogil:
    if _instruction:
        return crc32c_by_instruction(crc, data, size)
    return crc32c_by_table(crc, data, size)

def crc32c(const uint8_t[::1] data not None, uint32_t crc=0):
    cdef size_t size = data.shape[0]
    return crc32c_update(crc, &data[0], size) if size else crc

def crc32c_portable(const uint8_t[::1] data not None, uint32_t crc=0):
    cdef size_t size = data.shape[0]
    return crc32c_by_table(crc, &data[0], size) if size else crc
