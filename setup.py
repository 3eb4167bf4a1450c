"""Builds the kernels; everything else about the package stands in pyproject.toml.

FOREBAY_SANITIZE=1 builds them under AddressSanitizer, for the fuzz targets.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL_PACKAGES = ("wire", "tsdb", "consumers", "query")
SANITIZE = os.environ.get("FOREBAY_SANITIZE") == "1"
OPTIMISED = ["-O3", "-g1"]  # a profiler's lines; all that a debugger likes to know takes half as long again to compile
COMPILE = ["-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer"] if SANITIZE else OPTIMISED
LINK = ["-fsanitize=address"] if SANITIZE else []

kernels = [
    Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        extra_compile_args=[*COMPILE, "-fwrapv", "-Wno-unused-function", "-Wno-unreachable-code-fallthrough"],
        extra_link_args=LINK,
    )
    for package in KERNEL_PACKAGES
    for source in sorted(Path(package).glob("*.pyx"))
]
setup(
    ext_modules=cythonize(
        kernels,
        nthreads=0 if sys.platform == "win32" else os.cpu_count(),
        compiler_directives={
            "language_level": "3",
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "freethreading_compatible": False,
        },
    ),
    options={"build_ext": {"parallel": os.cpu_count()}},  # pip builds as well, and has no flag for it
)
