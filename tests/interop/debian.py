# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian that tests speak with: their packages are taken apart in a folder of ours, nothing is installed.

They are kept there, so that only the first run needs the network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import image, packages, suites


@dataclass(frozen=True, slots=True)
class Programs:
    """What is in a package and in those that it needs and this machine has not."""

    root: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """The words that start one of its programs."""
        folders = [str(one) for part in ("usr/lib", "lib") for one in self.root.glob(f"{part}/*-linux-gnu")]
        return ["env", f"LD_LIBRARY_PATH={':'.join(folders)}", str(self.root / program), *arguments]


def programs_of(package: str) -> Programs:
    """A package's programs, fetched if they are not here yet. Fails the test, or skips it, where they cannot be had."""
    place = image.CACHE / f"{package}-{suites.read_release()}"
    try:
        if not place.is_dir():
            with image.locked():
                if not place.is_dir():
                    image.into_place(place, lambda folder: _unpack(package, folder))
    except UnsupportedError as cause:
        if os.environ.get("FEX_ALLOW_SKIP") == "1":
            pytest.skip(cause.message)
        pytest.fail(f"no {package}: {cause.message}; set FEX_ALLOW_SKIP=1 to skip such tests", pytrace=False)
    return Programs(place)


def _unpack(package: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=image.CACHE, prefix="new-") as fetched:
        packages.download_lacking(package, Path(fetched), suites.read_release())
        packages.unpack(Path(fetched), folder)


def in_private(mounts: Sequence[tuple[Path, str]], command: Sequence[str]) -> list[str]:
    """The words that run a command with mounts of its own: each folder or file in place of one of the machine's."""
    unshare = shutil.which("unshare")
    assert unshare is not None
    binds = "".join(f'mount --bind "{ours}" {place}; ' for ours, place in mounts)
    return [unshare, "--mount", "--", "sh", "-c", f'set -e; {binds}exec "$@"', "sh", *command]
