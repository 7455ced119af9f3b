# SPDX-License-Identifier: Apache-2.0
"""A QEMU that emulates adapters with SR-IOV (`igb` came with 8.0).

It is this machine's own or, where that is older, a newer one of Debian's backports, which is unpacked and kept beside
it. Nothing of it is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import UnsupportedError
from openfex.linux.border import crossing
from openfex.machine import image, packages, suites
from openfex.machine.command_line import PROGRAM

PACKAGE = "qemu-system-x86"
OLDEST = 8
"""The first major version with `igb`."""
_DATA = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")
"""Where Debian has what a QEMU loads into a machine: ROMs, firmware."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A QEMU: how its command begins."""

    argv: tuple[str, ...]


def has_emulator() -> bool:
    """Whether there is one that `make_emulator` gives without a download."""
    return _own() is not None or _works(_place())


def make_emulator() -> Emulator:
    """The QEMU; unpacked first if need be. Raises UnsupportedError where there is none and none can be had."""
    own = _own()
    if own is not None:
        return own
    place = _place()
    if not _works(place):
        with crossing("unpack a newer QEMU"), image.locked():
            if not _works(place):
                shutil.rmtree(place, ignore_errors=True)
                try:
                    image.into_place(place, _unpack)
                except UnsupportedError as cause:
                    raise _cannot(cause.message) from cause
    return _unpacked(place)


def major_version(said: str) -> int:
    """Of what `qemu-system-x86_64 --version` says; 0 if it says none."""
    found = re.search(r"\bversion (\d+)\.", said)
    return int(found[1]) if found else 0


def _own() -> Emulator | None:
    """This machine's own, if it is new enough."""
    if shutil.which(PROGRAM) is None:
        return None
    own = Emulator((PROGRAM,))
    return own if _version(own) >= OLDEST else None


def _works(place: Path) -> bool:
    """Whether what was unpacked starts: this machine may since have lost a library that it had then."""
    return place.is_dir() and _version(_unpacked(place)) >= OLDEST


def _version(emulator: Emulator) -> int:
    done = subprocess.run([*emulator.argv, "--version"], capture_output=True, text=True, check=False)
    return major_version(done.stdout)


def _suite() -> str:
    return f"{suites.read_release()}-backports"


def _place() -> Path:
    return image.CACHE / f"qemu-{_suite()}"


def _unpacked(root: Path) -> Emulator:
    """Of a folder in which its packages are unpacked: they hold what it needs beyond what this machine has."""
    data = [word for folder in _DATA if (root / folder).is_dir() for word in ("-L", str(root / folder))]
    found = [path.parent for folder in ("usr/lib", "lib") for path in (root / folder).glob("*/*.so*")]
    libraries = ":".join(sorted(set(map(str, found))))
    before = ["env", f"LD_LIBRARY_PATH={libraries}"] if libraries else []
    return Emulator((*before, str(root / "usr/bin" / PROGRAM), *data))


def _unpack(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=image.CACHE, prefix="new-") as fetched:
        with suites.options_for(_suite(), beside=True) as options:
            packages.download_lacking(PACKAGE, Path(fetched), _suite(), options)
        packages.unpack(Path(fetched), root)
    if not _works(root):
        raise UnsupportedError(f"{PACKAGE} of {_suite()} is not new enough, or does not start")


def _cannot(why: str) -> UnsupportedError:
    return UnsupportedError(
        f"there is no QEMU {OLDEST} or newer here, which emulated SR-IOV adapters need: {why}",
        code="no-new-qemu",
        remedy=f"install {PACKAGE} {OLDEST} or newer, or see whether apt-get reaches {_suite()}",
    )
