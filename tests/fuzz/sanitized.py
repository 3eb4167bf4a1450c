"""The kernels under AddressSanitizer, and an interpreter that runs on them.

What was built lies under ~/.cache/forebay (FOREBAY_CACHE moves it) by the digest of what it was built from, so that a
fresh clone of the same kernels builds nothing. Another digest begins with a copy of the newest, and builds the rest.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CACHE = Path(os.environ.get("FOREBAY_CACHE") or Path.home() / ".cache" / "forebay")
PLANTED = Path("wire", "planted.pyx")
_PREFIX = "asan-"
_KEPT = 3
_KERNEL_PACKAGES = ("wire", "tsdb", "consumers", "query")
_PACKAGES = (*_KERNEL_PACKAGES, "forebay", "bucket", "broker", "gateway")


def assemble(target: Path) -> None:
    """Makes `target` a tree of the product's packages with sanitized kernels, first built where the cache has none.

    May be called from several processes at once. The tree does not depend on the cache once it is there.

    Raises:
        subprocess.CalledProcessError: the build failed; `stderr` says why.
    """
    for package in _PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            copy = target / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
    with _locked_cache():
        built = _build()
        for package in _KERNEL_PACKAGES:
            for path in (built / package).glob("*.so"):
                shutil.copy2(path, target / package / path.name)


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs this interpreter on an assembled tree; a report makes it exit with 99 and stands in `stderr`.

    Raises:
        FileNotFoundError: the compiler has no sanitizer.
    """
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if not Path(runtime).is_absolute():  # gcc gives the bare name back where it finds nothing
        raise FileNotFoundError(f"no AddressSanitizer runtime: {runtime} (hint: install gcc's libasan)")
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={
            **os.environ,
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0:exitcode=99:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",  # each object in a heap block of its own, with guards around it
            "PYTHONPATH": f"{tree}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        check=False,
        capture_output=True,
        text=True,
    )


def _sources() -> dict[Path, bytes]:
    """What decides the kernels' code, by its place in the build."""
    paths = [ROOT / "setup.py", ROOT / "pyproject.toml"]
    for package in _KERNEL_PACKAGES:
        paths += [ROOT / package / "__init__.py", *(ROOT / package).glob("*.pyx"), *(ROOT / package).glob("*.pxd")]
    sources = {path.relative_to(ROOT): path.read_bytes() for path in paths}
    sources[PLANTED] = (Path(__file__).parent / "planted.pyx").read_bytes()
    return dict(sorted(sources.items()))


def _name(sources: Mapping[Path, bytes]) -> str:
    compiler = subprocess.run(["gcc", "-dumpfullversion"], check=True, capture_output=True).stdout
    digest = hashlib.sha256(f"{sysconfig.get_config_var('EXT_SUFFIX')} {version('cython')}".encode() + compiler)
    for path, data in sources.items():
        digest.update(f"{path} {len(data)}\n".encode() + data)
    return _PREFIX + digest.hexdigest()[:16]


@contextmanager
def _locked_cache() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "asan.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build() -> Path:
    """The directory of the kernels as they are now, the newest of the cache."""
    sources = _sources()
    built = CACHE / _name(sources)
    if not built.exists():
        work = CACHE / f"{built.name}.unfinished"  # so that what has its name is whole, however a build ended
        shutil.rmtree(work, ignore_errors=True)
        if others := _newest_first():
            shutil.copytree(others[0], work)
        _write(sources, work)
        subprocess.run(
            [sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"--parallel={os.cpu_count() or 1}"],
            cwd=work,
            env={**os.environ, "FOREBAY_SANITIZE": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
        work.rename(built)
    os.utime(built)
    for old in _newest_first()[_KEPT:]:
        shutil.rmtree(old)
    return built


def _newest_first() -> list[Path]:
    finished = [path for path in CACHE.glob(f"{_PREFIX}*") if not path.suffix]
    return sorted(finished, key=lambda path: path.stat().st_mtime, reverse=True)


def _write(sources: Mapping[Path, bytes], work: Path) -> None:
    """Touches only what differs, by whose times setuptools sees what to build; drops what is no longer there."""
    for path, data in sources.items():
        target = work / path
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    for package in _KERNEL_PACKAGES:
        for path in (work / package).iterdir():
            if path.suffix in {".pyx", ".pxd"} and path.relative_to(work) not in sources:
                path.unlink()
                for made in (*path.parent.glob(f"{path.stem}.c"), *path.parent.glob(f"{path.stem}.*.so")):
                    made.unlink()
