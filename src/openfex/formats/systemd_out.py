# SPDX-License-Identifier: Apache-2.0
"""A wish as `.link` files of systemd, one for each PF or for all that are selected in one way.

The first `.link` file that matches a device is the only one, so what `99-default.link` says of names and MACs is said
again: else the PF would lose its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from openfex.formats.report import Export, File
from openfex.formats.systemd_keys import DEVICE, VENDOR
from openfex.formats.writing import KEYS, Writing, span
from openfex.model.functions import AdapterWish, LinkState, Selector, Settings

_KNOWN = ("mac", "vlan", "qos", "protocol", "spoof_check", "trust", "link", "rss_query")
_LINK = {LinkState.AUTO: "auto", LinkState.UP: "yes", LinkState.DOWN: "no"}
_SWITCHES = {"spoof_check": "MACSpoofCheck", "trust": "Trust", "rss_query": "QueryReceiveSideScaling"}
_DEFAULTS = (
    "NamePolicy=keep kernel database onboard slot path",
    "AlternativeNamesPolicy=database onboard slot path",
    "MACAddressPolicy=persistent",
)


def write_systemd(*wishes: AdapterWish) -> Export:
    """The files, for /etc/systemd/network. Raises InputError for a wish about no PF."""
    exports = [_write(wish) for wish in wishes]
    return Export(tuple(chain(*(one.files for one in exports))), tuple(chain(*(one.notes for one in exports))))


def _write(wish: AdapterWish) -> Export:
    writing = Writing(wish, "systemd")
    if wish.numbers:
        writing.cannot("pfs", f"#{span(*wish.numbers)}", "systemd counts and sets all functions of a PF")
    for key, value in (("hwmode", wish.hwmode), ("autoprobe", wish.autoprobe)):
        if value is not None:
            writing.cannot(key, value)
    if wish.functions is None:
        why = "systemd makes as many as the highest function that is named, and leaves more if there are more"
        writing.cannot("functions", "not given", why)
    if any(pf.name for pf in wish.pfs):
        names = " ".join(pf.name for pf in wish.pfs if pf.name)
        writing.note("name-before-rename", "pfs", names, "udev matches this name before it renames devices")
    link = [*_DEFAULTS]
    if wish.functions is not None:
        link.append(f"SR-IOVVirtualFunctions={wish.functions}")
    sections = [["[SR-IOV]", *_section(writing, one, settings)] for one, settings in writing.functions(_KNOWN)]
    matches = _matches(wish.pfs)
    files = []
    for index, match in enumerate(matches):
        number = f"-{index + 1}" if len(matches) > 1 else ""
        blocks = [["[Match]", *match], ["[Link]", *link], *sections]
        text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
        files.append(File(f"50-fex-{wish.name}{number}.link", text))
    return Export(tuple(files), tuple(writing.notes))


def _matches(pfs: Sequence[Selector]) -> list[list[str]]:
    """What the sections `[Match]` hold. PFs that are selected by names alone, or addresses alone, share one."""
    if all(pf == Selector(name=pf.name) for pf in pfs):
        return [[f"OriginalName={' '.join(pf.name for pf in pfs)}"]]
    if all(pf == Selector(address=pf.address) for pf in pfs):
        return [[f"Path={' '.join(f'pci-{pf.address}' for pf in pfs)}"]]
    return [_match(pf) for pf in pfs]


def _match(pf: Selector) -> list[str]:
    said = {
        "Path": f"pci-{pf.address}" if pf.address else "",
        "OriginalName": pf.name,
        "Driver": pf.driver,
        "Property": " ".join(f"{key}=0x{value}" for key, value in ((VENDOR, pf.vendor), (DEVICE, pf.device)) if value),
    }
    return [f"{key}={value}" for key, value in said.items() if value]


def _section(writing: Writing, number: int, one: Settings) -> list[str]:
    lines = [f"VirtualFunction={number}"]
    if one.mac:
        lines.append(f"MACAddress={one.mac}")
    if one.vlan:
        lines.append(f"VLANId={one.vlan}")
    said = {"QualityOfService": ("qos", one.qos), "VLANProtocol": ("protocol", one.protocol)}
    for key, (name, value) in said.items():
        if value is not None and one.vlan:
            lines.append(f"{key}={getattr(value, 'value', value)}")
        elif value is not None:
            writing.cannot(f"settings.{number}.{KEYS[name]}", value, "systemd sets it with a VLANId above 0 only")
    if one.vlan == 0:
        writing.cannot(f"settings.{number}.vlan", 0, "systemd takes 1 to 4095; without it the VLAN stays as it is")
    lines += [f"{key}={_yes(value)}" for name, key in _SWITCHES.items() if (value := getattr(one, name)) is not None]
    if one.link:
        lines.append(f"LinkState={_LINK[one.link]}")
    return lines


def _yes(value: bool) -> str:
    return "yes" if value else "no"
