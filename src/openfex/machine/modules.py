# SPDX-License-Identifier: Apache-2.0
"""Drivers of a kernel that are modules, in an order they can be loaded in."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def read_modules(root: Path, wanted: Iterable[str]) -> dict[str, bytes]:
    """Modules of the kernel that was unpacked at `root`, and those they need, in an order they can be loaded in."""
    files = {_module_name(path): path for path in root.glob("lib/modules/*/kernel/**/*.ko*")}
    return {name: _read_module(files[name]) for name in load_order(wanted, files)}


def load_order(wanted: Iterable[str], files: Mapping[str, Path]) -> list[str]:
    """Modules in the order they can be loaded in; what is not a module is in the kernel itself."""
    order: list[str] = []
    for name in wanted:
        if name in files and name not in order:
            before = load_order(needs(_read_module(files[name])), files)
            order += [one for one in [*before, name] if one not in order]
    return order


def needs(module: bytes) -> list[str]:
    """The modules that a module says it depends on."""
    found = _DEPENDS.search(module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def _module_name(path: Path) -> str:
    """As modules call each other, whatever the file is called."""
    return path.name.partition(".")[0].replace("-", "_")


def _read_module(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
