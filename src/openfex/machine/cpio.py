# SPDX-License-Identifier: Apache-2.0
"""The archive that a kernel unpacks as its first file system: cpio, "newc" (Documentation/driver-api/early-userspace).

Pure, and short enough to spare a Debian package: Python's own library has no cpio.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_MAGIC = "070701"
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder, file or link of the archive. Its owner is root; it has no date, so the same entries make the same."""

    name: str
    mode: int
    content: bytes = b""


def folder(name: str) -> Entry:
    """A folder; it must come before what is in it."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, *, executable: bool = False) -> Entry:
    """A file."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content)


def link(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """The entries as an archive, in the order given."""
    octets = bytearray()
    for inode, entry in enumerate([*entries, Entry(_TRAILER, 0)], start=1):
        name = entry.name.encode() + b"\0"
        links, device = 1, 0
        fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), *[device] * 4, len(name), 0)
        octets += (_MAGIC + "".join(f"{field:08X}" for field in fields)).encode() + name
        octets += bytes(-len(octets) % 4)
        octets += entry.content
        octets += bytes(-len(octets) % 4)
    return bytes(octets)
