# SPDX-License-Identifier: Apache-2.0
"""systemd's `.link` and `.network` files, in: `[Match]`, `[Link] SR-IOVVirtualFunctions`, `[SR-IOV]`.

What systemd does with odd values is done here, too (`src/shared/netif-sriov.c`): it leaves out a value that it cannot
take, a section without VirtualFunction or with one that is not below the count, and of two sections for one function
the earlier one. Each of these is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from openfex.formats.functions import Functions, can_be, count_of
from openfex.formats.report import Import, Report, Said, one_line
from openfex.formats.sections import SYSTEMD, Entry, Section, read_sections
from openfex.formats.selection import Selection, name_of, slug, stem_of
from openfex.formats.systemd_keys import DEVICE, LINK, MATCH, NOT_OF_THE_PF, OTHER, SRIOV, VENDOR
from openfex.formats.values import Value, c_number, mac, pci_id, protocol, truth
from openfex.model.functions import AdapterWish, LinkState

MOST_INT = (1 << 31) - 1
"""INT_MAX, which bounds what systemd takes as a count; a number is below it."""
_MATCH = {one.theirs: one for one in MATCH}
_LINK = {one.theirs: one for one in LINK}
_SRIOV = frozenset(one.theirs for one in SRIOV)
COUNT = "SR-IOVVirtualFunctions"
_OF_THE_VLAN = ("qos", "protocol")
_MATCHED = Said("[Match]", "")


@dataclass
class _Reading:
    """What was found so far."""

    report: Report
    selection: Selection = field(default_factory=Selection)
    matched: Said = _MATCHED
    makes: bool = True
    """Whether the file makes functions: udev does so by a `.link`, networkd by a `.network` sets only what is there."""
    count: int | None = None
    counted: Said | None = None
    sections: list[Section] = field(default_factory=list)


def read_systemd(text: str, file: str = "") -> Import:
    """What a `.link` or `.network` file asks for. Raises DocumentError."""
    reading = _Reading(Report(file, "systemd"))
    read = read_sections(text, SYSTEMD)
    for line, bad in read.bad:
        message = "is neither a section nor KEY=VALUE in one"
        reading.report.fault("bad-line", Said(one_line(bad), "", line), message, "comment it out with #")
    reading.makes = not _is_network(file, read.sections)
    for section in read.sections:
        _take_section(reading, section)
    if reading.counted is None and not reading.sections:
        return reading.report.finish(())
    return reading.report.finish((_wish(reading),))


def _is_network(file: str, sections: Iterable[Section]) -> bool:
    """Whether it is a `.network` file, by its name, or by what only such a file has."""
    if file.endswith((".network", ".link")):
        return file.endswith(".network")
    keys = {(section.name, entry.key) for section in sections for entry in section.entries}
    names = {section.name for section in sections}
    return ("Link", COUNT) not in keys and ("Network" in names or ("Match", "Name") in keys)


def _said(section: Section, entry: Entry) -> Said:
    return Said(f"[{section.name}] {entry.key}", one_line(entry.value), entry.line)


def _take_section(reading: _Reading, section: Section) -> None:
    if section.name == "SR-IOV":
        reading.sections.append(section)
    elif section.name == "Match":
        reading.matched = Said("[Match]", "", section.line)
        for entry in section.entries:
            _take_match(reading, _said(section, entry), entry)
    else:
        for entry in section.entries:
            _take_other(reading, section, entry)


def _take_other(reading: _Reading, section: Section, entry: Entry) -> None:
    said = _said(section, entry)
    if section.name == "Link" and entry.key == COUNT:
        count = c_number(entry.value, MOST_INT)
        if not reading.makes:
            reading.report.note("ignored-there", said, "networkd makes no functions: it belongs into a .link file")
        elif entry.value and count is None:
            reading.report.note("ignored-there", said, f"systemd takes 0 to {MOST_INT}")
        else:
            if reading.counted:
                reading.report.note("overridden", reading.counted, f"written again in line {entry.line}")
            reading.count, reading.counted = count, said
        return
    known = _LINK.get(entry.key, OTHER) if section.name == "Link" else OTHER
    reading.report.note(known.code, said, known.why)


def _take_match(reading: _Reading, said: Said, entry: Entry) -> None:
    """A condition. Those that are written again add to what was said, and an empty one takes it back."""
    report, selection, words = reading.report, reading.selection, entry.value.split()
    if entry.key in ("OriginalName", "Name"):
        selection.names = selection.names if words else []
        selection.take_names(report, said, words)
    elif entry.key == "Driver":
        selection.drivers = selection.drivers if words else []
        selection.take_drivers(report, said, words)
    elif entry.key == "Path":
        selection.addresses = selection.addresses if words else []
        selection.take_paths(report, said, words)
    elif entry.key == "Property":
        _take_properties(reading, said, words)
    elif entry.key in _MATCH and _MATCH[entry.key].code != "which-pf":
        report.note(_MATCH[entry.key].code, said, _MATCH[entry.key].why)
    else:
        selection.lose(report, said, NOT_OF_THE_PF)


def _take_properties(reading: _Reading, said: Said, words: Iterable[str]) -> None:
    for word in words:
        key, _, value = word.strip("\"'").partition("=")
        identity = pci_id(value)
        if key == VENDOR and identity:
            reading.selection.vendor = identity
        elif key == DEVICE and identity:
            reading.selection.device = identity
        else:
            reading.selection.lose(
                reading.report, said, f"of udev's properties only {VENDOR} and {DEVICE} are known here"
            )


def _wish(reading: _Reading) -> AdapterWish:
    report = reading.report
    pfs = reading.selection.selectors(report, reading.matched)
    functions = Functions(report)
    there = _numbered(reading)
    for one, section in there.items():
        functions.take(one, _settings(report, section))
    count = reading.count
    if reading.counted is not None:
        count = count_of(count, report, reading.counted)
    if reading.makes and reading.count is None and there:
        count = max(there) + 1
        why = f"systemd takes the highest VirtualFunction + 1, {count}, and leaves more if there are more"
        report.note("count-from-functions", reading.counted or Said(f"[Link] {COUNT}", "not given"), why)
    return AdapterWish(slug(name_of(pfs), stem_of(report.file)), pfs, count, settings=functions.ranges())


def _numbered(reading: _Reading) -> dict[int, Section]:
    """The section that holds for each function; what becomes of the others is noted."""
    report, found = reading.report, dict[int, Section]()
    for section in reading.sections:
        said = _whole(section)
        one = _function(report, section)
        if one is None:
            report.note("ignored-there", said, "systemd leaves out a section without VirtualFunction")
        elif reading.count is not None and one >= reading.count:
            report.note("ignored-there", said, f"VirtualFunction is not below SR-IOVVirtualFunctions={reading.count}")
        elif can_be(one, report, said):
            if one in found:
                report.note("overridden", _whole(found[one]), f"the section in line {section.line} is about it, too")
            found[one] = section
    return found


def _whole(section: Section) -> Said:
    return Said("[SR-IOV]", one_line(" ".join(f"{one.key}={one.value}" for one in section.entries)), section.line)


def _function(report: Report, section: Section) -> int | None:
    found: tuple[int | None, Said] | None = None
    for entry in section.entries:
        if entry.key == "VirtualFunction":
            value, said = c_number(entry.value, MOST_INT - 1), _said(section, entry)
            if entry.value and value is None:
                report.note("ignored-there", said, f"systemd takes 0 to {MOST_INT - 1}")
                continue
            if found:
                report.note("overridden", found[1], f"written again in line {entry.line}")
            found = value, said
    return found[0] if found else None


def _settings(report: Report, section: Section) -> Mapping[str, tuple[Value, Said]]:
    """What the last of its entries say. An empty one takes back what was said; one that systemd cannot take, none."""
    found: dict[str, tuple[Value, Said]] = {}
    for entry in section.entries:
        said = _said(section, entry)
        if entry.key not in _SRIOV:
            report.note("ignored-there", said, "systemd knows no such key in this section")
        elif entry.key != "VirtualFunction":
            setting, value, form = _value(entry)
            if entry.value and value is None:
                report.note("ignored-there", said, f"systemd takes {form}")
                continue
            if setting in found:
                report.note("overridden", found.pop(setting)[1], f"written again in line {entry.line}")
            if value is not None:
                found[setting] = value, said
    if "vlan" not in found:
        for setting in _OF_THE_VLAN:
            if setting in found:
                report.note("ignored-there", found.pop(setting)[1], "systemd sets it with a VLANId only")
    return found


def _value(entry: Entry) -> tuple[str, Value | None, str]:
    """The setting that an entry is about, its value, None if it is none, and what systemd takes."""
    text = entry.value
    if entry.key == "MACAddress":
        found = mac(text)
        return "mac", found if found and any(found.octets) else None, "a MAC address other than zero"
    if entry.key == "VLANId":
        return "vlan", c_number(text, 4095, 1), "1 to 4095"
    if entry.key == "QualityOfService":
        return "qos", c_number(text), "a whole number of 32 bits"
    if entry.key == "VLANProtocol":
        return "protocol", protocol(text) if text in ("802.1Q", "802.1ad") else None, "802.1Q or 802.1ad"
    switch = truth(text)
    if entry.key == "LinkState":
        state = LinkState.AUTO if text == "auto" else None
        if switch is not None:
            state = LinkState.UP if switch else LinkState.DOWN
        return "link", state, "a boolean or auto"
    setting = {"MACSpoofCheck": "spoof_check", "Trust": "trust", "QueryReceiveSideScaling": "rss_query"}[entry.key]
    return setting, switch, "a boolean"
