"""`python -m tests.fuzz.run --seconds N`: builds the kernels under AddressSanitizer and feeds them hostile bytes.

The sanitized kernels live in build/asan, apart from those the tree runs on; only what changed is built again.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build" / "asan"
PACKAGES = ("wire", "tsdb", "consumers", "query", "forebay", "bucket", "broker")
SOURCES = {".py", ".pyx", ".pxd"}


def _copy_if_newer(source: Path, target: Path) -> None:
    if not target.exists() or source.stat().st_mtime > target.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _mirror() -> None:
    """Brings sources over with their times, so that setuptools sees what changed; drops what is no longer there."""
    wanted = {ROOT / name for name in ("setup.py", "pyproject.toml")}
    for package in PACKAGES:
        wanted |= {path for path in (ROOT / package).rglob("*") if path.suffix in SOURCES}
    targets = {BUILD / path.relative_to(ROOT): path for path in wanted}
    targets[BUILD / "wire" / "planted.pyx"] = Path(__file__).parent / "planted.pyx"
    for target, source in targets.items():
        _copy_if_newer(source, target)
    for package in PACKAGES:
        for path in (BUILD / package).rglob("*"):
            if path.suffix in SOURCES and path not in targets:
                path.unlink()
                for built in path.parent.glob(f"{path.stem}.*"):
                    built.unlink()


def build() -> Path:
    """The directory of the sanitized kernels, up to date; may be called from several processes at once.

    Raises:
        subprocess.CalledProcessError: the build failed; its output has been shown.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _mirror()
        subprocess.run(
            [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--parallel", "2"],
            cwd=BUILD,
            env={**os.environ, "FOREBAY_SANITIZE": "1"},
            check=True,
            capture_output=True,
        )
    return BUILD


def sanitized(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs this interpreter on the sanitized kernels; a report makes it exit with 99 and stands in `stderr`.

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
        cwd=BUILD,
        env={
            **os.environ,
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0:exitcode=99:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",  # each object in a heap block of its own, with guards around it
            "PYTHONPATH": f"{BUILD}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        check=False,
        capture_output=True,
        text=True,
    )


def fuzz(seconds: float, seed: int, last_input: Path) -> subprocess.CompletedProcess[str]:
    build()
    return sanitized("-m", "tests.fuzz.driver", f"--seconds={seconds}", f"--seed={seed}", f"--last-input={last_input}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run; by default another one each time")
    arguments = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if arguments.seed is None else arguments.seed
    last_input = ROOT / "build" / f"fuzz-{seed}.input"
    last_input.parent.mkdir(exist_ok=True)
    result = fuzz(arguments.seconds, seed, last_input)
    sys.stdout.write(result.stdout)
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.stderr.write(f"fuzz failed: seed={seed} exit={result.returncode} input={last_input}\n")
        return 1
    last_input.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
