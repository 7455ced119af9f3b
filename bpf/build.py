#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles bpf/*.bpf.c to src/openfex/datapath/objects/*.bpf.o.

Run as a script, or loaded by path from hatch_build.py. An object is made anew when it is older than its source, than
any header under bpf/, or than this file. `--tests` makes a second object of every source, NAME.test.bpf.o with
-DFEX_TEST, whose programs export their decision and send nothing; the wheel carries only the first kind.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OBJECTS = Path("src/openfex/datapath/objects")
WORKERS = 2
FLAGS = (
    "-O2",
    "-g",  # BTF is made of it; libbpf loads no map without
    "-target",
    "bpf",
    "-mcpu=v3",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-function",  # a header of lib/ serves several programs, and none uses all of it
    "-Wno-unused-parameter",
    "-fdebug-compilation-dir=.",  # no folder of the machine that compiles ends up in an object
    "-Ibpf/include",
    "-Ibpf/lib",
)


class BuildError(Exception):
    """An object could not be made; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Job:
    """One object to make; paths are relative to the clone."""

    source: Path
    target: Path
    flags: tuple[str, ...]


def build(root: Path = ROOT, *, tests: bool = False, force: bool = False, clang: str = "clang") -> list[Path]:
    """Make what is out of date. Returns the objects that a wheel carries, as absolute paths."""
    sources = sorted(path.relative_to(root) for path in (root / "bpf").glob("*.bpf.c"))
    wanted = list(_jobs(sources, tests=tests))
    _remove_orphans(root, sources)
    newest = _newest_dependency(root)
    stale = [job for job in wanted if force or _is_stale(root, job, newest)]
    if stale:
        (root / OBJECTS).mkdir(parents=True, exist_ok=True)
        _compile_all(root, stale, clang)
    return [root / job.target for job in wanted if "-DFEX_TEST" not in job.flags]


def _jobs(sources: list[Path], *, tests: bool) -> Iterator[Job]:
    for source in sources:
        name = source.name.removesuffix(".bpf.c")
        yield Job(source, OBJECTS / f"{name}.bpf.o", ())
        if tests:
            yield Job(source, OBJECTS / f"{name}.test.bpf.o", ("-DFEX_TEST",))


def _remove_orphans(root: Path, sources: list[Path]) -> None:
    """Objects whose source is gone must not be loaded by anyone."""
    kept = {job.target.name for job in _jobs(sources, tests=True)}
    for path in (root / OBJECTS).glob("*.bpf.o"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def _newest_dependency(root: Path) -> int:
    files = [Path(__file__), *(root / "bpf").rglob("*.h")]
    return max(path.stat().st_mtime_ns for path in files)


def _is_stale(root: Path, job: Job, newest: int) -> bool:
    try:
        made = (root / job.target).stat().st_mtime_ns
    except FileNotFoundError:
        return True
    return made <= max(newest, (root / job.source).stat().st_mtime_ns)


def _compile_all(root: Path, jobs: list[Job], clang: str) -> None:
    if shutil.which(clang) is None:
        raise BuildError(f"there is no {clang!r} here to compile eBPF with: apt-get install clang")
    include = _kernel_headers()
    failures = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for job, error in zip(jobs, pool.map(lambda job: _compile(root, job, clang, include), jobs), strict=True):
            if error:
                failures.append(f"{job.source} ({job.target.name}) does not compile:\n{error}")
            else:
                print(f"bpf: {job.target.name}", flush=True)
    if failures:
        raise BuildError("\n".join(failures))


def _compile(root: Path, job: Job, clang: str, include: Path) -> str:
    """Compile to a file beside the target and rename it, so that no one ever meets half an object.

    The object bears the time at which its making began: a source that is edited meanwhile is newer.
    """
    began = time.time_ns()
    unfinished = job.target.with_suffix(f".{os.getpid()}.tmp")
    command = [clang, *FLAGS, *job.flags, "-idirafter", str(include), "-c", str(job.source), "-o", str(unfinished)]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return done.stderr.strip() or f"{clang} ended with status {done.returncode}"
        os.utime(root / unfinished, ns=(began, began))
        (root / unfinished).replace(root / job.target)
    finally:
        (root / unfinished).unlink(missing_ok=True)
    return ""


def _kernel_headers() -> Path:
    """The folder with asm/types.h, which lies outside clang's search path for the bpf target."""
    include = Path("/usr/include")
    if not (include / "bpf" / "bpf_helpers.h").exists():
        raise BuildError("the headers of libbpf (bpf/bpf_helpers.h) are missing: apt-get install libbpf-dev")
    folder = include / _multiarch()
    if not (folder / "asm" / "types.h").exists() and not (include / "asm" / "types.h").exists():
        raise BuildError("the kernel's headers (asm/types.h) are missing: apt-get install linux-libc-dev")
    return folder if folder.exists() else include


def _multiarch() -> str:
    try:
        asked = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{platform.machine()}-linux-gnu"
    return asked.stdout.strip() or f"{platform.machine()}-linux-gnu"


def main(argv: list[str] | None = None) -> int:
    """The script."""
    parser = argparse.ArgumentParser(description="Compile bpf/*.bpf.c; objects that are up to date are left alone.")
    parser.add_argument("--force", action="store_true", help="compile everything, whatever its age")
    parser.add_argument("--tests", action="store_true", help="make the test objects too")
    parser.add_argument("--clang", default="clang", help="the compiler (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        build(tests=options.tests, force=options.force, clang=options.clang)
    except BuildError as error:
        print(f"bpf/build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
