# SPDX-License-Identifier: Apache-2.0
"""What uplinks carry and whom they guarantee what of it: whether it can be, and as a value. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.documents import UplinkSpec
from openfex.model.quantities import LEAST_RATE_KBIT
from openfex.model.reader import Document
from openfex.model.shape import PCPS, Shape, Share
from openfex.plan.inventory import Inventory

LEAST_BITS = LEAST_RATE_KBIT * 1000
"""What those have that are in no class."""


def shape_of(uplink: UplinkSpec) -> Shape | None:
    """Whom an uplink guarantees what; None if it carries what it can. Others have what the classes leave."""
    if uplink.rate is None:
        return None
    shares = {Share(frozenset(one.pcp), one.minimum // 8) for one in uplink.classes.values()}
    others = PCPS.difference(*(one.pcps for one in shares))
    rate = uplink.rate // 8
    if others:
        shares.add(Share(others, rate - sum(one.minimum for one in shares)))
    return Shape(rate, frozenset(shares))


def check_shapes(inventory: Inventory) -> Iterator[Problem]:
    """Classes are of a rate, guarantee no more than that, share no PCP; and their queue is not passed by."""
    for document, host in inventory.hosts:
        for fabric, uplink in host.uplinks.items():
            path = ("uplinks", fabric)
            if uplink.rate is not None and uplink.attachment == "xdp":
                message = "what XDP sends passes no queue, so it cannot be held to a rate"
                remedy = "write `attachment: auto`, which then is tc, or take the rate out"
                yield document.problem("rate-needs-tc", message, remedy, (*path, "rate"))
            if uplink.classes and uplink.rate is None:
                message = "are shares of a rate that is not said"
                yield document.problem("classes-need-rate", message, "write rate, too", (*path, "classes"))
            yield from _check_pcps(document, path, uplink)
            yield from _check_minimums(document, path, uplink)


def _check_pcps(document: Document, path: tuple[str, ...], uplink: UplinkSpec) -> Iterator[Problem]:
    owners: dict[int, str] = {}
    for name, one in uplink.classes.items():
        for pcp in one.pcp:
            if pcp in owners:
                message = f"PCP {pcp} is already in class {owners[pcp]}"
                place = (*path, "classes", name, "pcp")
                yield document.problem("duplicate-pcp", message, "name each PCP once", place)
            owners.setdefault(pcp, name)


def _check_minimums(document: Document, path: tuple[str, ...], uplink: UplinkSpec) -> Iterator[Problem]:
    whole = sum(one.minimum for one in uplink.classes.values())
    others = PCPS.difference(*(one.pcp for one in uplink.classes.values()))
    least = LEAST_BITS if others else 0
    if uplink.rate is not None and whole + least > uplink.rate:
        message = f"guarantee {whole:,} bit/s together, the uplink carries {uplink.rate:,}"
        remedy = f"leave at least {LEAST_RATE_KBIT}kbit to frames of other PCPs" if others else "guarantee less"
        yield document.problem("minimums-too-large", message, remedy, (*path, "classes"))
