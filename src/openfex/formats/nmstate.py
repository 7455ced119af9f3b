# SPDX-License-Identifier: Apache-2.0
"""nmstate's desired state, in: `ethernet.sr-iov` of the `interfaces`.

What nmstate refuses is an error here: a key of `sr-iov` that it does not know, a value that it cannot read, 802.1ad
with neither VLAN nor QoS (`rust/src/lib/ifaces/sriov.rs`). A function that the list leaves out stays as it is, there
and here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from openfex.formats.functions import Functions, can_be, count_of
from openfex.formats.nmstate_keys import INTERFACE, OF_A_FUNCTION, OTHER, REVERT, SRIOV, VF
from openfex.formats.report import Import, Key, Report, Said
from openfex.formats.selection import Selection, distinct, slug
from openfex.formats.tree import Part, read_parts
from openfex.formats.values import Value, mac, number, pci_address, protocol, truth
from openfex.model.functions import AdapterWish, TagProtocol
from openfex.model.wording import choose

_INTERFACE = {one.theirs: one for one in INTERFACE}
_VF = {one.theirs: one for one in VF}
_SELECTING = frozenset({"name", "identifier", "pci-address"})
_VALUES: Mapping[str, tuple[str, Callable[[object], Value | None], str]] = {
    "mac-address": ("mac", mac, "a MAC address"),
    "spoof-check": ("spoof_check", truth, "true or false"),
    "trust": ("trust", truth, "true or false"),
    "min-tx-rate": ("min_rate", number, "a whole number of 32 bits"),
    "max-tx-rate": ("max_rate", number, "a whole number of 32 bits"),
    "vlan-id": ("vlan", number, "a whole number of 32 bits"),
    "qos": ("qos", number, "a whole number of 32 bits"),
    "vlan-proto": ("protocol", protocol, "802.1q or 802.1ad"),
}
"""The setting that a key of a function is, how it is read, and what it takes."""
_AWAY = frozenset({"absent", "ignore"})


def read_nmstate(text: str, file: str = "") -> Import:
    """What a desired state of nmstate asks for. Raises DocumentError."""
    report = Report(file, "nmstate")
    wishes: list[AdapterWish] = []
    for document in read_parts(text, report):
        for key, part in document.items(report):
            if key == "interfaces":
                wishes += [wish for one in part.parts(report) if (wish := _interface(report, one))]
            else:
                _note(report, OTHER, part)
    return report.finish(distinct(wishes))


def _note(report: Report, key: Key, part: Part) -> None:
    report.note(key.code, part.said, key.why)


def _interface(report: Report, part: Part) -> AdapterWish | None:
    keys = dict(part.items(report))
    sriov = part.get("ethernet", "sr-iov")
    state = part.get("state")
    if sriov is None or (state and str(state.value) in _AWAY):
        name = part.get("name")
        of_a_function = name is not None and str(name.value).startswith("sriov:")
        _note(report, OF_A_FUNCTION if of_a_function else OTHER, part)
        return None
    selection = _selection(report, part)
    for key, inner in keys.items():
        if key == "ethernet":
            for of_ethernet, one in inner.items(report):
                if of_ethernet != "sr-iov":
                    _note(report, OTHER, one)
        elif key not in _SELECTING:
            _note(report, _INTERFACE.get(key, OTHER), inner)
    named = part.get("name")
    called = named.text(report) if named else ""
    count, autoprobe, functions = _sriov(report, sriov)
    pfs = selection.selectors(report, part.said)
    return AdapterWish(slug(called), pfs, count, autoprobe=autoprobe, settings=functions.ranges())


def _selection(report: Report, part: Part) -> Selection:
    """By name, or by what `identifier` says; with it the name is only that of a profile."""
    selection = Selection()
    identifier, name, pci = part.get("identifier"), part.get("name"), part.get("pci-address")
    if identifier is None or identifier.value == "name":
        if name:
            selection.take_names(report, name.said, [name.text(report)])
        if pci:
            report.note("other-subject", pci.said, "it selects with identifier: pci-address only")
    elif identifier.value == "pci-address":
        address = pci_address(pci.value) if pci else ""
        if address:
            selection.addresses.append(address)
        else:
            (pci or part).fault(report, "is no PCI address like 0000:07:00.0", code="bad-pci-address")
    elif identifier.value == "mac-address":
        selection.lose(report, identifier.said, "a PF cannot be selected by its MAC here")
    else:
        identifier.fault(report, "is not name, mac-address or pci-address")
    return selection


def _sriov(report: Report, part: Part) -> tuple[int | None, bool | None, Functions]:
    """Count, autoprobe and settings."""
    functions, known = Functions(report), [one.theirs for one in SRIOV]
    for key, inner in part.items(report):
        if key not in known:
            _refuse(report, inner, key, known)
    total, probe = part.get("total-vfs"), part.get("drivers-autoprobe")
    count, autoprobe = number(total.value) if total else None, truth(probe.value) if probe else None
    if total and count is None:
        total.fault(report, "is not a whole number of 32 bits")
    if probe and autoprobe is None:
        probe.fault(report, "is not true or false")
    if vfs := part.get("vfs"):
        if vfs.value == []:
            report.note(
                "revert-all", Said(vfs.key, "[]", vfs.said.line), f"all functions go to their defaults; {REVERT}"
            )
        for one, settings in _functions(report, vfs, count):
            functions.take(one, settings)
    return count_of(count, report, total.said) if total else None, autoprobe, functions


def _refuse(report: Report, part: Part, key: str, known: Iterable[str]) -> None:
    message = f"{key} is a key that nmstate does not know here, and refuses"
    report.fault("unknown-key", part.said, message, choose(key, known, "keys"))


def _functions(report: Report, vfs: Part, count: int | None) -> Iterator[tuple[int, Mapping[str, tuple[Value, Said]]]]:
    seen: dict[int, int] = {}
    for part in vfs.parts(report):
        settings = _settings(report, part)
        id_ = part.get("id")
        one = number(id_.value) if id_ else None
        if id_ is None or one is None:
            (id_ or part).fault(report, "is not a function's id", "write `id:` and a whole number from 0")
        elif one in seen:
            id_.fault(report, f"is in line {seen[one]}, too", "keep one of the two", "duplicate-function")
        elif count is not None and one >= count:
            report.note("ignored-there", part.said, f"its id is not below total-vfs, {count}")
        elif can_be(one, report, id_.said):
            seen[one] = id_.said.line
            yield one, settings


def _settings(report: Report, part: Part) -> Mapping[str, tuple[Value, Said]]:
    found: dict[str, tuple[Value, Said]] = {}
    for key, inner in part.items(report):
        if key == "id" or inner.value is None:
            continue
        if key in _VALUES:
            setting, read, form = _VALUES[key]
            value = read(inner.value)
            if value is None:
                inner.fault(report, f"is not {form}")
            else:
                found[setting] = value, inner.said
        elif key in _VF:
            _note(report, _VF[key], inner)
        else:
            _refuse(report, inner, key, _VF)
    tag, bits = found.get("protocol"), [found[name][0] for name in ("vlan", "qos") if name in found]
    if tag and tag[0] is TagProtocol.DOT1AD and not any(bits):
        message = "802.1ad with neither a vlan-id nor a qos, which nmstate refuses"
        report.fault("bad-vlan", tag[1], message, "give it a vlan-id")
    return found
