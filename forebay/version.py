"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("forebay")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"


VERSION = _installed()
