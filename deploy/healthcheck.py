#!/usr/bin/env python3
"""`healthcheck URL`: exit code 0 where URL answers 200, else 1 and its answer. For an image that has no curl."""

import sys
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 5


def main(url: str) -> int:
    """Returns the exit code; what was answered goes to stdout, where `docker inspect` keeps it."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            sys.stdout.write(answer.read(4096).decode(errors="replace"))
            return 0
    except urllib.error.HTTPError as error:
        with error:
            sys.stdout.write(error.read(4096).decode(errors="replace"))
    except OSError as error:
        sys.stdout.write(f"{error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
