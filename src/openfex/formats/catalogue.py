# SPDX-License-Identifier: Apache-2.0
"""The formats that are known, and which of them a text is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from openfex.errors import DocumentError, InputError, NotFoundError, Problem
from openfex.formats import netplan_keys, networkmanager_keys, nmstate_keys, operator_keys, systemd_keys
from openfex.formats.netplan import read_netplan
from openfex.formats.networkmanager import read_networkmanager
from openfex.formats.nmstate import read_nmstate
from openfex.formats.nmstate_out import write_nmstate
from openfex.formats.operator import GROUP, read_operator
from openfex.formats.report import Export, Import, Key
from openfex.formats.systemd import read_systemd
from openfex.formats.systemd_out import write_systemd
from openfex.model.functions import AdapterWish
from openfex.model.source import read_sources
from openfex.model.wording import choose

_SECTION = re.compile(r"^\s*\[([^\[\],]+)\]\s*$", re.MULTILINE)
_GROUPS = frozenset({"connection", "sriov", "ethernet", "ipv4", "ipv6"})
_SECTIONS = frozenset({"Match", "Link", "Network", "SR-IOV"})


class Writer(Protocol):
    """Writes wishes in the words of a format."""

    def __call__(self, *wishes: AdapterWish) -> Export:
        """The files. Raises InputError for what cannot be said at all."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: what it is called here, what a file of it is, how its files end, its keys, and how it is read."""

    name: str
    what: str
    suffixes: tuple[str, ...]
    keys: tuple[Key, ...]
    read: Callable[[str, str], Import]
    write: Writer | None = None


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format(
            "systemd",
            "a `.link` or `.network` file of systemd",
            (".link", ".network"),
            systemd_keys.KEYS,
            read_systemd,
            write_systemd,
        ),
        Format(
            "networkmanager",
            "a keyfile of NetworkManager",
            (".nmconnection",),
            networkmanager_keys.KEYS,
            read_networkmanager,
        ),
        Format("netplan", "YAML of netplan", (), netplan_keys.KEYS, read_netplan),
        Format("nmstate", "a desired state of nmstate", (), nmstate_keys.KEYS, read_nmstate, write_nmstate),
        Format(
            "sriov-network-operator",
            "manifests of sriov-network-operator",
            (),
            operator_keys.KEYS,
            read_operator,
        ),
    )
}


def find_format(name: str) -> Format:
    """A format by its name. Raises NotFoundError, which names the nearest."""
    if name not in FORMATS:
        remedy = choose(name, FORMATS, "formats")
        raise NotFoundError(f"there is no format {name}", code="unknown-format", remedy=remedy)
    return FORMATS[name]


def find_writer(name: str) -> Writer:
    """How a format is written. Raises NotFoundError, InputError where it is only read."""
    write = find_format(name).write
    if write is None:
        able = ", ".join(one.name for one in FORMATS.values() if one.write)
        raise InputError(f"{name} is only read", code="only-read", remedy=f"those that are written are {able}")
    return write


def recognise(text: str, file: str = "") -> Format:
    """The format of a text, by how the file's name ends or by what is in it. Raises InputError, DocumentError."""
    for one in FORMATS.values():
        if one.suffixes and file.endswith(one.suffixes):
            return one
    sections = set(_SECTION.findall(text))
    name = (
        "systemd" if sections & _SECTIONS else "networkmanager" if sections & _GROUPS else _recognise_yaml(text, file)
    )
    if not name:
        remedy = f"say it with `--from`: {', '.join(FORMATS)}"
        raise InputError(f"{file or 'the text'} is of no format that is known", code="unknown-format", remedy=remedy)
    return FORMATS[name]


def _recognise_yaml(text: str, file: str) -> str:
    problems: list[Problem] = []
    for source in read_sources(text, file):
        problems += source.problems
        value = source.value if isinstance(source.value, dict) else {}
        if str(value.get("apiVersion")).startswith(GROUP) or _holds_one_of_the_operator(value.get("items")):
            return "sriov-network-operator"
        if "interfaces" in value:
            return "nmstate"
        if "network" in value:
            return "netplan"
        if {"kind", "name", "spec"} <= set(value):
            message = f"{file or 'the text'} holds documents of openfex already"
            raise InputError(message, code="unknown-format", remedy="`fex plan` reads them")
    if problems and not _SECTION.search(text):
        raise DocumentError(problems)
    return ""


def _holds_one_of_the_operator(items: object) -> bool:
    of_items = items if isinstance(items, list) else []
    return any(isinstance(one, dict) and str(one.get("apiVersion")).startswith(GROUP) for one in of_items)
