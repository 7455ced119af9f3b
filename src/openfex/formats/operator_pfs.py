# SPDX-License-Identifier: Apache-2.0
"""Which PFs and which of their functions a policy of sriov-network-operator is about: its `nicSelector`."""

from __future__ import annotations

import re

from openfex.formats.operator_claims import Claim, Policy
from openfex.formats.operator_keys import ALIAS, OTHER, SELECTOR
from openfex.formats.report import Report, Said
from openfex.formats.selection import MOST_SELECTORS, Selection
from openfex.formats.tree import Part
from openfex.formats.values import pci_address, pci_id

_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_SELECTOR = {one.theirs: one for one in SELECTOR}

Named = dict[str, tuple[int, int] | None]
"""PFs by name, with the range of functions that is said."""


def read_claims(report: Report, spec: Part, policy: Policy) -> None:
    """Give the policy its claims."""
    selection, named = Selection(), Named()
    selector = spec.get("nicSelector")
    for key, part in selector.items(report) if selector else ():
        if key in ("pfNames", "pfName"):
            named = {**_names(report, part, policy, selection), **named}
            if key == "pfName":
                report.note("taken-as-meant", part.said, ALIAS)
        elif key == "rootDevices":
            _take_addresses(report, part, selection)
        elif key in ("vendor", "deviceID"):
            _take_identity(report, part, key, selection)
        elif key == "netFilter":
            if part.value not in (None, ""):
                selection.lose(report, part.said, _SELECTOR[key].why)
        else:
            report.note(OTHER.code, part.said, OTHER.why)
    if selection.addresses and len(set(named.values())) > 1:
        selection.lose(report, policy.said, "names with different ranges cannot be tied to addresses here")
    _claim(report, policy, selection, named)


def _claim(report: Report, policy: Policy, selection: Selection, named: Named) -> None:
    if len(selection.addresses) * len(named) > MOST_SELECTORS:
        report.fault("too-many-pfs", policy.said, f"selects by more than {MOST_SELECTORS} combinations")
        return
    pfs = selection.selectors(report, policy.said)
    policy.lost = not pfs
    whole = (0, policy.count - 1)
    for pf in pfs:
        span = named.get(pf.name) if pf.name else next(iter(named.values()), None)
        first, last = span or whole
        policy.claims.append(Claim(policy, first, last, policy.count, pf))


def _names(report: Report, part: Part, policy: Policy, selection: Selection) -> Named:
    found = Named()
    for word in part.words(report):
        name, sign, numbers = word.partition("#")
        span = _RANGE.fullmatch(numbers)
        first, last = (int(span[1]), int(span[2])) if span else (0, 0)
        if sign and (span is None or last < first):
            report.fault("bad-range", part.said, f"{word} has no range like #0-3 behind the name")
        elif last >= policy.count:
            report.fault("bad-count", part.said, f"{word} goes beyond numVfs, {policy.count}", "raise numVfs")
        elif name in found:
            report.note(
                "ignored-there", Said(part.key, word, part.said.line), f"of several {name} the operator takes the first"
            )
        else:
            selection.take_names(report, part.said, [name])
            found[name] = (first, last) if sign else None
    return found


def _take_addresses(report: Report, part: Part, selection: Selection) -> None:
    for word in part.words(report):
        if address := pci_address(word):
            selection.addresses.append(address)
        else:
            report.fault("bad-pci-address", part.said, f"{word} is no PCI address like 0000:86:00.0")


def _take_identity(report: Report, part: Part, key: str, selection: Selection) -> None:
    if part.value in (None, ""):
        return
    identity = pci_id(f"{part.value:04d}" if isinstance(part.value, int) else part.value)
    if not identity:
        part.fault(report, "is no PCI id of four hexadecimal digits", code="bad-pci-id")
    elif key == "vendor":
        selection.vendor = identity
    else:
        selection.device = identity
