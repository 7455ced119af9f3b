# SPDX-License-Identifier: Apache-2.0
"""netplan's YAML, in: PFs and functions among `ethernets`, hardware VLAN filters among `vlans`.

A function is declared by `link: PF`, and known by name alone. Its number is certain where its name is the PF's with vN
behind it, as udev gives names to functions; and where all the functions that are left are asked the same, it does not
matter. Else what is asked of it is not carried over: a guess would set one function's VLAN on another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from openfex.formats.functions import Functions
from openfex.formats.netplan_keys import OTHER, PF, VF, WHICH
from openfex.formats.report import Import, Key, Report, Said
from openfex.formats.selection import Selection, distinct, slug
from openfex.formats.tree import Part, read_parts
from openfex.formats.values import Value, literal, mac, number
from openfex.model.functions import AdapterWish

MOST_COUNT = 256
"""What netplan makes of one PF at most (`netplan_cli/cli/sriov.py`)."""
_PF = {one.theirs: one for one in PF}
_VF = {one.theirs: one for one in VF}
_OF_A_PF = ("virtual-function-count", "embedded-switch-mode")
_CARRIED_BY_VLAN = frozenset({"id", "link", "renderer"})
_NUMBERED = re.compile(r"v(0|[1-9][0-9]{0,4})")


@dataclass
class _Function:
    """A function as it is declared, and what is asked of it."""

    id: str
    part: Part
    asked: dict[str, tuple[Value, Said]] = field(default_factory=dict)


@dataclass
class _Network:
    """What was found: the devices of `ethernets` by their ids, the PFs among them, the functions of each."""

    report: Report
    devices: dict[str, Part] = field(default_factory=dict)
    vlans: list[Part] = field(default_factory=list)
    functions: dict[str, list[_Function]] = field(default_factory=dict)
    """By the id of the PF."""

    def function(self, device: str) -> _Function | None:
        """The function of an id."""
        return next((one for of_pf in self.functions.values() for one in of_pf if one.id == device), None)


def read_netplan(text: str, file: str = "") -> Import:
    """What a file of netplan asks for. Raises DocumentError."""
    network = _Network(Report(file, "netplan"))
    for document in read_parts(text, network.report):
        for key, part in document.items(network.report):
            if key == "network":
                _take_network(network, part)
            else:
                _note(network, OTHER, part)
    _find_functions(network)
    for vlan in network.vlans:
        _take_vlan(network, vlan)
    wishes = [_wish(network, pf) for pf in network.functions]
    return network.report.finish(distinct(wishes))


def _note(network: _Network, key: Key, part: Part) -> None:
    network.report.note(key.code, part.said, key.why)


def _take_network(network: _Network, part: Part) -> None:
    report = network.report
    for key, inner in part.items(report):
        if key == "ethernets":
            devices = dict(inner.items(report))
            if "renderer" in devices:  # a default for all of them, and no device
                _note(network, OTHER, devices.pop("renderer"))
            for device in devices.values():
                dict(device.items(report))  # one that has no keys is told here
            network.devices.update(devices)
        elif key == "vlans":
            network.vlans += [vlan for _, vlan in inner.items(report)]
        else:
            _note(network, OTHER, inner)


def _find_functions(network: _Network) -> None:
    for id_, part in network.devices.items():
        if any(part.get(key) for key in _OF_A_PF):
            network.functions.setdefault(id_, [])
        if link := part.get("link"):
            pf = link.text(network.report)
            if pf in network.devices and pf != id_:
                network.functions.setdefault(pf, []).append(_Function(id_, part))
            elif pf:
                remedy = "give the whole configuration, as `netplan get` prints it"
                link.fault(network.report, "is none of the ethernets", remedy, "unknown-link")
    for functions in network.functions.values():
        for function in functions:
            _take_function(network, function)
    for id_, part in network.devices.items():
        if id_ not in network.functions and network.function(id_) is None:
            _note(network, OTHER, part)


def _take_function(network: _Network, function: _Function) -> None:
    for key, part in function.part.items(network.report):
        if key == "macaddress":
            address = mac(part.value)
            if address:
                function.asked["mac"] = address, part.said
            else:
                part.fault(network.report, "is not a MAC address")
        elif key != "link" and not (key == "match" and _name_of(function)):
            _note(network, _VF.get(key, OTHER), part)


def _take_vlan(network: _Network, part: Part) -> None:
    """A VLAN in hardware; another is a device of the host, and no business of the function."""
    renderer, link, id_ = (part.get(key) for key in ("renderer", "link", "id"))
    if renderer is None or renderer.value != "sriov":
        _note(network, OTHER, part)
        return
    for key, inner in part.items(network.report):
        if key not in _CARRIED_BY_VLAN:
            _note(network, OTHER, inner)
    vlan = number(id_.value) if id_ else None
    if id_ is None or link is None or vlan is None:
        part.fault(network.report, "needs an id and a link", "write both, the id as a number")
        return
    function = network.function(link.text(network.report))
    if function is None:
        network.report.note("ignored-there", part.said, "its link is no function, so netplan passes over it")
    elif "vlan" in function.asked:
        first = function.asked["vlan"][1].line
        link.fault(network.report, f"has a hardware VLAN in line {first} already", "keep one of them", "second-vlan")
    else:
        function.asked["vlan"] = vlan, id_.said


def _wish(network: _Network, pf: str) -> AdapterWish:
    part, declared, report = network.devices[pf], network.functions[pf], network.report
    selection = _selection(network, pf)
    for key, inner in part.items(report):
        if key not in ("match", "set-name", "virtual-function-count"):
            _note(network, _PF.get(key, OTHER), inner)
    count = _count(network, pf)
    functions = Functions(report)
    for one, function in _numbered(network, pf, count or len(declared)):
        functions.take(one, function.asked)
    return AdapterWish(slug(pf), selection.selectors(report, part.said), count, settings=functions.ranges())


def _count(network: _Network, pf: str) -> int | None:
    """How many functions; None where only the eswitch of a PF without functions is spoken of."""
    report, declared = network.report, len(network.functions[pf])
    part = network.devices[pf].get("virtual-function-count")
    if part is None:
        return declared or None
    count = number(part.value, MOST_COUNT)
    if count is None:
        part.fault(report, f"is not a whole number from 0 to {MOST_COUNT}", code="bad-count")
    elif count < declared:
        part.fault(report, f"is less than the {declared} functions that are declared", "raise it", "bad-count")
    return count


def _selection(network: _Network, pf: str) -> Selection:
    """Without `match` the id is the name; a device that is given a name is matched by that, as netplan does it."""
    part, report, selection = network.devices[pf], network.report, Selection()
    match, given = part.get("match"), part.get("set-name")
    if match is None:
        selection.take_names(report, part.said, [pf])
        return selection
    if given:
        selection.take_names(report, given.said, [given.text(report)])
    for key, inner in match.items(report):
        if given:
            report.note("other-subject", inner.said, f"the PF is selected by the name it gets, {given.said.value}")
        elif key == "name":
            selection.take_names(report, inner.said, [inner.text(report)])
        elif key == "driver":
            selection.take_drivers(report, inner.said, inner.words(report))
        else:
            selection.lose(report, inner.said, _PF["match.macaddress"].why)
    return selection


def _name_of(function: _Function) -> str:
    """The name of a function's device; empty if there is only a pattern, or another property."""
    match = function.part.get("match")
    if match is None:
        return function.id
    name = match.value.get("name") if isinstance(match.value, Mapping) and len(match.value) == 1 else None
    return name if isinstance(name, str) and literal(name) else ""


def _numbered(network: _Network, pf: str, count: int) -> Iterator[tuple[int, _Function]]:
    """The functions of a PF whose numbers are certain; of the others it is noted what they lose."""
    known: dict[int, _Function] = {}
    unknown: list[_Function] = []
    for function in network.functions[pf]:
        found = _NUMBERED.fullmatch(_name_of(function).removeprefix(pf)) if _name_of(function).startswith(pf) else None
        if found and int(found[1]) < count and int(found[1]) not in known:
            known[int(found[1])] = function
        else:
            unknown.append(function)
    free = [one for one in range(count) if one not in known]
    alike = all(_values(one) == _values(unknown[0]) for one in unknown)
    if len(free) == len(unknown) and alike:
        known.update(zip(free, unknown, strict=True))
    else:
        for function in unknown:
            for _, said in function.asked.values():
                network.report.note("which-function", said, WHICH)
    yield from known.items()


def _values(function: _Function) -> dict[str, Value]:
    return {setting: value for setting, (value, _) in function.asked.items()}
