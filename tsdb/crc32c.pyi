from typing_extensions import Buffer

def crc32c(data: Buffer, crc: int = 0) -> int:
    """Castagnoli's checksum of `data`, continued from `crc`, the checksum of what comes before it.

    Reflected polynomial 0x82F63B78, init and xorout all ones; blocks store it big endian. Uses the processor's own
    instruction where it has one.
    """

def crc32c_portable(data: Buffer, crc: int = 0) -> int:
    """The same by tables, eight bytes at a time: what `crc32c` is where the instruction is missing."""
