# SPDX-License-Identifier: Apache-2.0
"""Door to kernel settings: the files of /proc/sys, which are those of the name space of the thread that opens them."""

from __future__ import annotations

from pathlib import Path

from openfex.errors import InputError, NotFoundError
from openfex.linux import netns as spaces
from openfex.linux.border import crossing

_ROOT = Path("/proc/sys")


def path(key: str) -> Path:
    """The file of a key. As with sysctl(8), a key that has a slash is split at slashes, for link names with dots."""
    parts = key.split("/" if "/" in key else ".")
    if not all(parts) or ".." in parts:
        raise InputError(f"{key!r} is not a setting like net.ipv4.ip_forward", code="bad-sysctl")
    return _ROOT.joinpath(*parts)


def sysctl(netns: str | None, key: str, value: str | int) -> None:
    """Change a setting: `sysctl -w KEY=VALUE`. Raises NotFoundError for a setting that this kernel does not have."""
    with crossing(f"set {key} to {value}"), spaces.entered(netns):
        _there(key).write_text(f"{value}\n", encoding="ascii")


def read_sysctl(netns: str | None, key: str) -> str:
    """Read a setting: `sysctl -n KEY`. Raises NotFoundError."""
    with crossing(f"read {key}"), spaces.entered(netns):
        return _there(key).read_text(encoding="ascii").strip()


def _there(key: str) -> Path:
    found = path(key)
    if not found.exists():
        raise NotFoundError(f"this kernel has no setting {key}", code="sysctl-not-found")
    return found
