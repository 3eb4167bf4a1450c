"""Variable-length integers for what is not hot: LEB128, and zig-zag over it. Kernels have their own (`varint.pxd`)."""


def encode_uvarint(value: int) -> bytes:
    """`value` is not negative."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_varint(value: int) -> bytes:
    """Zig-zag: small numbers of either sign are short."""
    return encode_uvarint(value << 1 if value >= 0 else ~(value << 1))
