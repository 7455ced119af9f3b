# SPDX-License-Identifier: Apache-2.0
"""A wish as a desired state of nmstate, an interface for each PF."""

from __future__ import annotations

from openfex.errors import InputError
from openfex.formats.report import Export, File
from openfex.formats.writing import Writing, span
from openfex.model.functions import AdapterWish, Selector, Settings, TagProtocol
from openfex.model.names import LONGEST_DEVICE

_NAMES = {
    "mac": "mac-address",
    "spoof_check": "spoof-check",
    "trust": "trust",
    "min_rate": "min-tx-rate",
    "max_rate": "max-tx-rate",
    "vlan": "vlan-id",
    "qos": "qos",
    "protocol": "vlan-proto",
}
"""The settings that nmstate knows, and how it calls them."""
_QUOTED = frozenset({"mac", "protocol"})


def write_nmstate(*wishes: AdapterWish) -> Export:
    """One desired state. Raises InputError if nmstate can select no PF of one of the wishes."""
    writings = [Writing(wish, "nmstate") for wish in wishes]
    lines = ["---", "interfaces:", *(line for writing in writings for line in _interfaces(writing))]
    name = wishes[0].name if len(wishes) == 1 else "adapters"
    notes = tuple(note for writing in writings for note in writing.notes)
    return Export((File(f"{name}.yml", "\n".join(lines) + "\n"),), notes)


def _interfaces(writing: Writing) -> list[str]:
    wish = writing.wish
    if wish.numbers:
        writing.cannot("pfs", f"#{span(*wish.numbers)}", "nmstate counts all functions of a PF")
    if wish.hwmode:
        writing.cannot("hwmode", wish.hwmode)
    sriov = []
    if wish.autoprobe is not None:
        sriov.append(f"drivers-autoprobe: {str(wish.autoprobe).lower()}")
    if wish.functions is not None:
        sriov.append(f"total-vfs: {wish.functions}")
    vfs = [line for number, one in writing.functions(_NAMES) for line in _function(writing, number, one)]
    sriov += ["vfs:", *vfs] if vfs else []
    selected = [lines for index, pf in enumerate(wish.pfs) if (lines := _interface(writing, pf, index))]
    if not selected:
        message = f"nmstate can select none of the PFs of adapter {wish.name}"
        raise InputError(message, code="cannot-say", remedy="select them by name alone or by address alone")
    block = ["    ethernet:", "      sr-iov:" if sriov else "      sr-iov: {}", *(f"        {line}" for line in sriov)]
    return [line for head in selected for line in (*head, *block)]


def _interface(writing: Writing, pf: Selector, index: int) -> list[str]:
    """The head of an interface; empty if nmstate cannot select the PF."""
    head = ["    type: ethernet", "    state: up"]
    if pf == Selector(name=pf.name):
        return [f'  - name: "{pf.name}"', *head]
    if pf == Selector(address=pf.address):
        # With this identifier the name is that of a profile, so any will do.
        name = f"{writing.wish.name[: LONGEST_DEVICE - 4]}-{index}" if index else writing.wish.name[:LONGEST_DEVICE]
        return [f'  - name: "{name}"', "    identifier: pci-address", f'    pci-address: "{pf.address}"', *head]
    said = " ".join(one for one in (pf.address, pf.name, pf.vendor, pf.device, pf.driver) if one)
    writing.cannot("pfs", said, "nmstate selects a PF by its name or by its address, and by nothing else")
    return []


def _function(writing: Writing, number: int, one: Settings) -> list[str]:
    lines = [f"  - id: {number}"]
    for name, key in _NAMES.items():
        value = getattr(one, name)
        if value is None:
            continue
        if value is TagProtocol.DOT1AD and not one.vlan and not one.qos:
            why = "nmstate refuses 802.1ad with neither a vlan-id nor a qos"
            writing.cannot(f"settings.{number}.protocol", value, why)
            continue
        text = str(getattr(value, "value", value)).lower()
        lines.append(f'    {key}: "{text}"' if name in _QUOTED else f"    {key}: {text}")
    return lines
