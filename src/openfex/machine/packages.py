# SPDX-License-Identifier: Apache-2.0
"""Debian packages, downloaded and taken apart; nothing of them is installed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from openfex.errors import UnsupportedError


def newest_kernel(package: str, options: Sequence[str] = ()) -> str:
    """The package that one like `linux-image-amd64` stands for, itself being empty. Raises UnsupportedError.

    `options` are apt's own, here and below. Lists that apt has will do, unless they do not have it.
    """
    for renew in (False, True):
        if renew:
            _renew_lists(options)
        described = _run(["apt-cache", *options, "show", "--no-all-versions", package])
        found = re.search(r"^Depends:.*?(linux-image-\d\S*)", described.stdout, re.MULTILINE)
        if found:
            return found[1]
    raise _cannot(f"apt-cache knows no {package}")


def download(names: Sequence[str], folder: Path, options: Sequence[str] = ()) -> None:
    """Packages into a folder. Raises UnsupportedError."""
    argv = ["apt-get", *options, "--quiet", "download", *names]
    done = _run(argv, folder)
    if done.returncode:
        _renew_lists(options)
        done = _run(argv, folder)
    if done.returncode:
        raise _cannot(_last_line(done.stderr))


def download_lacking(package: str, folder: Path, suite: str, options: Sequence[str] = ()) -> None:
    """A package of a suite, and what it needs that is not here or too old. Raises UnsupportedError."""
    (folder / "partial").mkdir()
    argv = ["apt-get", *options, "--quiet", "--yes", "--download-only", "--no-install-recommends"]
    argv += ["--target-release", suite, "-o", f"Dir::Cache::archives={folder}", "install", package]
    _renew_lists(options)
    done = _run(argv)
    if done.returncode:
        raise _cannot(_last_line(done.stderr))


def unpack(packages: Path, folder: Path) -> None:
    """What is in all packages of a folder. Raises UnsupportedError."""
    for package in packages.glob("*.deb"):
        done = _run(["dpkg-deb", "--extract", str(package), str(folder)])
        if done.returncode:
            raise _cannot(done.stderr.strip())


def _last_line(errors: str) -> str:
    return next(iter(errors.strip().splitlines()[-1:]), "apt-get failed")


def _renew_lists(options: Sequence[str]) -> None:
    _run(["apt-get", *options, "--quiet", "update"])


def _run(argv: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        env = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as cause:
        raise _cannot(f"there is no {argv[0]} here") from cause


def _cannot(why: str) -> UnsupportedError:
    return UnsupportedError(why, remedy="see whether apt-get reaches Debian's packages")
