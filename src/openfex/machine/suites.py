# SPDX-License-Identifier: Apache-2.0
"""Suites of Debian that this machine need not use: apt is shown one for a single call, and nothing here changes.

The entry that the machine has for its own release is copied with the other suite's name, so no address is ours.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openfex.errors import UnsupportedError

_APT = Path("/etc/apt")


@contextmanager
def options_for(suite: str, *, beside: bool = False) -> Iterator[list[str]]:
    """Options of apt's with which it knows that suite alone or, `beside`, with all that the machine uses.

    Their lists begin empty and end with the block. Raises UnsupportedError where there is no entry to copy.
    """
    kind, entry = _entry_for(suite)
    with tempfile.TemporaryDirectory(prefix="fex-apt-") as folder:
        parts, lists = Path(folder) / "parts", Path(folder) / "lists"
        for one in (parts, lists / "partial"):
            one.mkdir(parents=True)
        if beside:
            for path in _entries():
                (parts / path.name).write_text(path.read_text())
        (parts / f"openfex{kind}").write_text(entry)
        places = {"Etc::sourcelist": "/dev/null", "Etc::sourceparts": parts, "State::lists": lists}
        places |= {"Cache::pkgcache": "", "Cache::srcpkgcache": ""}
        yield [word for name, path in places.items() for word in ("-o", f"Dir::{name}={path}")]


def _entry_for(suite: str) -> tuple[str, str]:
    """This machine's entry of Debian's packages with another suite, and the suffix that its form asks for."""
    release = read_release()
    for path in _entries():
        entry = with_suite(path.read_text(), release, suite)
        if entry:
            return ".sources" if path.suffix == ".sources" else ".list", entry
    raise UnsupportedError(
        f"no entry of {_APT} is for {release or 'a release of Debian'}, so there is none to copy for {suite}",
        code="no-suite",
        remedy=f"this needs Debian, and in {_APT} an entry of its packages",
    )


def _entries() -> list[Path]:
    """The files in which this machine says where packages are; the newer form first."""
    newer = sorted(_APT.glob("sources.list.d/*.sources"))
    return [*newer, *_APT.glob("sources.list"), *sorted(_APT.glob("sources.list.d/*.list"))]


def read_release() -> str:
    """What this machine's release is called; empty where it does not say."""
    try:
        said = Path("/etc/os-release").read_text()
    except OSError:
        return ""
    found = re.search(r"^VERSION_CODENAME=(\w+)$", said, re.MULTILINE)
    return found[1] if found else ""


def with_suite(text: str, release: str, suite: str) -> str:
    """The first entry for a release's packages, of either form that apt reads, with another suite; empty if none is."""
    for part in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\w+):[ \t]*(.*)$", part, re.MULTILINE))
        if "deb" in fields.get("Types", "").split() and release in fields.get("Suites", "").split():
            return re.sub(r"^Suites:.*$", f"Suites: {suite}", part.strip(), flags=re.MULTILINE) + "\n"
    found = re.search(rf"^deb\s+(\[[^]]*\]\s+)?(\S+)\s+{re.escape(release)}\s+main\b", text, re.MULTILINE)
    return f"deb {found[1] or ''}{found[2]} {suite} main\n" if found else ""
