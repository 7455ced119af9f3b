# SPDX-License-Identifier: Apache-2.0
"""NetworkManager's keyfiles, in: `[sriov]`, with `[connection]` and `[match]` that say which PF.

A `[sriov]` that is there makes the count hold, also when it says none: then it is 0. What NetworkManager would not
activate is an error here: a function that is not below `total-vfs` or is written twice, a least rate above the highest
(`nm-setting-sriov.c`). What it passes over is noted: a `vf.N` that cannot be read, an attribute that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from openfex.formats.functions import Functions, can_be, count_of
from openfex.formats.networkmanager_keys import CONNECTION, ETHERNET, MATCH, OTHER, SRIOV, VF
from openfex.formats.report import Import, Key, Report, Said, one_line
from openfex.formats.sections import KEYFILE, Entry, read_sections
from openfex.formats.selection import Selection, name_of, slug, stem_of
from openfex.formats.values import Value, c_number, mac, number, truth
from openfex.model.functions import AdapterWish, TagProtocol

_TABLES: Mapping[str, Mapping[str, Key]] = {
    group: {one.theirs: one for one in keys}
    for group, keys in {
        "connection": CONNECTION,
        "ethernet": ETHERNET,
        "802-3-ethernet": ETHERNET,
        "match": MATCH,
        "sriov": SRIOV,
    }.items()
}
_VF = re.compile(r"vf\.([0-9]+)")
_ATTRIBUTES = {
    "mac": "mac",
    "spoof-check": "spoof_check",
    "trust": "trust",
    "min-tx-rate": "min_rate",
    "max-tx-rate": "max_rate",
}
_PROTOCOLS = {"q": TagProtocol.DOT1Q, "ad": TagProtocol.DOT1AD}
_TERNARY = {"-1": None, "default": None, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


@dataclass
class _Reading:
    """What was found so far. The keys of a group that is written again are added to it, and the last value holds."""

    report: Report
    groups: dict[str, dict[str, Entry]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read_networkmanager(text: str, file: str = "") -> Import:
    """What a keyfile asks for. Raises DocumentError."""
    report = Report(file, "NetworkManager")
    reading = _Reading(report)
    read = read_sections(text, KEYFILE)
    for line, bad in read.bad:
        message = "is neither a group nor KEY=VALUE in one"
        report.fault("bad-line", Said(one_line(bad), "", line), message, "comment it out with #")
    for section in read.sections:
        reading.lines.setdefault(section.name, section.line)
        group = reading.groups.setdefault(section.name, {})
        for entry in section.entries:
            if entry.key in group:
                report.note("overridden", _said(section.name, group[entry.key]), f"written again in line {entry.line}")
            group[entry.key] = entry
    pfs = _selection(reading).selectors(report, Said("[connection]", "", reading.lines.get("connection", 0)))
    _note_others(reading)
    if "sriov" not in reading.groups:
        return report.finish(())
    total, autoprobe = _count(reading), _autoprobe(reading)
    settings = _functions(reading, total).ranges()
    count = count_of(total, report, _said_of(reading, "total-vfs"))
    wish = AdapterWish(slug(name_of(pfs), stem_of(report.file)), pfs, count, autoprobe=autoprobe, settings=settings)
    return report.finish((wish,))


def _said(group: str, entry: Entry) -> Said:
    return Said(f"[{group}] {entry.key}", one_line(entry.value), entry.line)


def _said_of(reading: _Reading, key: str) -> Said:
    entry = reading.groups["sriov"].get(key)
    return _said("sriov", entry) if entry else Said(f"[sriov] {key}", "not given", reading.lines["sriov"])


def _note_others(reading: _Reading) -> None:
    """Name what is not carried over of the whole file, but for the functions themselves and what selects."""
    for group, entries in reading.groups.items():
        for key, entry in entries.items():
            known = _TABLES.get(group, {}).get("vf.N" if _VF.fullmatch(key) else key, OTHER)
            if known.code and known.code != "which-pf":
                reading.report.note(known.code, _said(group, entry), known.why)


def _selection(reading: _Reading) -> Selection:
    selection, report = Selection(), reading.report
    for group in ("ethernet", "802-3-ethernet"):
        if entry := reading.groups.get(group, {}).get("mac-address"):
            selection.lose(report, _said(group, entry), ETHERNET[0].why)
    if named := reading.groups.get("connection", {}).get("interface-name"):
        selection.take_names(report, _said("connection", named), [named.value])
    for key, entry in reading.groups.get("match", {}).items():
        said, words = _said("match", entry), [word.strip() for word in entry.value.split(";") if word.strip()]
        if key == "interface-name" and not (named and words == [named.value]):
            if named:
                selection.lose(report, said, "two conditions on one name are not possible here")
            selection.take_names(report, said, words)
        elif key == "driver":
            selection.take_drivers(report, said, words)
        elif key == "path":
            selection.take_paths(report, said, words)
    return selection


def _count(reading: _Reading) -> int:
    """How many functions; 0 where that is not said."""
    said = _said_of(reading, "total-vfs")
    if "total-vfs" not in reading.groups["sriov"]:
        reading.report.note("count-from-functions", said, "NetworkManager takes this for 0, and so it is here")
        return 0
    count = number(said.value)
    if count is None:
        reading.report.fault("bad-value", said, f"{said.value or 'nothing'} is not a whole number of 32 bits")
    return count or 0


def _autoprobe(reading: _Reading) -> bool | None:
    entry = reading.groups["sriov"].get("autoprobe-drivers")
    if entry is None:
        return None
    if entry.value.lower() not in _TERNARY:
        reading.report.fault("bad-value", _said("sriov", entry), f"{one_line(entry.value)} is not -1, 0 or 1")
    return _TERNARY.get(entry.value.lower())


def _functions(reading: _Reading, count: int) -> Functions:
    report, functions = reading.report, Functions(reading.report)
    seen: dict[int, Said] = {}
    for index, text, said in _written(reading):
        one = number(index)
        if one is None or index != str(one):
            report.note("ignored-there", said, "NetworkManager passes over a function without a number")
        elif one in seen:
            report.fault("duplicate-function", said, f"function {one} is in line {seen[one].line}, too", "keep one")
        elif one >= count:
            report.fault("bad-count", said, f"function {one} is not below total-vfs={count}", "raise total-vfs")
        elif can_be(one, report, said):
            seen[one] = said
            functions.take(one, _attributes(report, text, said))
    return functions


def _written(reading: _Reading) -> Iterator[tuple[str, str, Said]]:
    """The functions that are written: number, attributes, and what says so (`vf.2=mac=…`, or `vfs=2 mac=…, 3 …`)."""
    for key, entry in reading.groups["sriov"].items():
        if found := _VF.fullmatch(key):
            yield found[1], entry.value, _said("sriov", entry)
        elif key == "vfs":
            for part in entry.value.split(","):
                index, _, attributes = part.strip().partition(" ")
                if index:
                    yield index, attributes, Said("[sriov] vfs", one_line(part.strip()), entry.line)


def _attributes(report: Report, text: str, said: Said) -> Mapping[str, tuple[Value, Said]]:
    """The settings that the attributes of a function say. One that cannot be read spoils the function's whole line."""
    found: dict[str, tuple[Value, Said]] = {}
    known = {one.theirs for one in VF}
    for word in text.split():
        key, _, value = word.replace("\\", "").partition("=")
        here = Said(f"{said.key} {key}", one_line(value), said.line)
        if key not in known:
            report.note("ignored-there", here, "NetworkManager knows no such attribute")
            continue
        settings = _vlans(report, value, here) if key == "vlans" else _plain(key, value)
        if settings is None:
            report.note("ignored-there", said, f"NetworkManager passes over a function whose {key} it cannot read")
            return {}
        found.update({setting: (one, here) for setting, one in settings.items()})
    return found


def _plain(key: str, value: str) -> Mapping[str, Value] | None:
    one: Value | None = mac(value) if key == "mac" else number(value) if key.endswith("rate") else truth(value)
    return None if one is None else {_ATTRIBUTES[key]: one}


def _vlans(report: Report, value: str, said: Said) -> Mapping[str, Value] | None:
    """The VLAN of a function, `ID[.QOS[.q|ad]]`; of a list only if it has one."""
    vlans = [_vlan(one.strip()) for one in value.split(";")]
    ids = [one["vlan"] for one in vlans if one is not None]
    if len(set(ids)) != len(vlans):
        return None
    if len(vlans) > 1:
        report.note("not-here", said, "no kernel takes more than one VLAN for a function")
        return {}
    return vlans[0]


def _vlan(text: str) -> Mapping[str, Value] | None:
    parts = text.split(".")
    found: dict[str, Value | None] = {"vlan": c_number(parts[0], 4095)}
    if len(parts) > 1:
        found["qos"] = c_number(parts[1])
    if len(parts) > 2:
        found["protocol"] = _PROTOCOLS.get(".".join(parts[2:]))
    return None if None in found.values() else {name: one for name, one in found.items() if one is not None}
