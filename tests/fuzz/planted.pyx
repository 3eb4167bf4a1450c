"""A kernel with a bug on purpose: it reads the byte behind its input. The sanitizer must find it, or it finds nothing."""


def read_behind(const unsigned char[::1] data not None):
    return (&data[0] + data.shape[0])[0]
