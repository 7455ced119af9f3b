# SPDX-License-Identifier: Apache-2.0
"""Whether functions can be what is asked of them, by what is known of their adapter and its driver. Pure.

Of many functions that one range of settings is said of, only the first is complained about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from openfex.model.adapters import RealAdapter, RealFunction
from openfex.model.functions import ATTRIBUTES, FunctionDriver, Settings, said
from openfex.model.quirks import Quirks, quirks_of
from openfex.model.values import Mac
from openfex.plan.refusals import Refusal
from openfex.plan.steps import FRESH, Target
from openfex.plan.wishes import Asked

_TOLD_IF_THERE = ("spoof_check", "trust", "rss_query")
"""What the kernel shows as not said where a driver has no such thing."""


def check_functions(adapter: RealAdapter, target: Target, asked: Mapping[int, Asked], wish: str) -> Iterator[Refusal]:
    """What is wrong with the settings of an adapter's functions."""
    seen: set[tuple[str, int | None, str]] = set()
    known = {} if target.count != adapter.count else {one.index: one for one in adapter.functions}
    given = _given(adapter, target)
    for index in sorted(asked):
        for refusal in _check(adapter, index, asked[index], known.get(index), wish):
            if _first(seen, refusal):
                yield refusal
        if target.drivers.get(index) is FunctionDriver.VFIO and asked[index].settings.driver is FunctionDriver.VFIO:
            for refusal in _check_group(adapter, index, asked[index], known.get(index), given, wish):
                if _first(seen, refusal):
                    yield refusal


def _first(seen: set[tuple[str, int | None, str]], refusal: Refusal) -> bool:
    mark = (refusal.code, refusal.by, refusal.key)
    new = mark not in seen
    seen.add(mark)
    return new


def _given(adapter: RealAdapter, target: Target) -> Set[str]:
    """The functions that will be nobody's, or given away whole."""
    away = (FunctionDriver.VFIO, FunctionDriver.NONE)
    return {one.address for one in adapter.functions if target.drivers.get(one.index) in away}


def _check(
    adapter: RealAdapter, index: int, asked: Asked, function: RealFunction | None, wish: str
) -> Iterator[Refusal]:
    quirks, name = quirks_of(adapter.driver), adapter.driver or adapter.name
    wanted = {field: value for field, value in said(asked.settings).items() if field in ATTRIBUTES}
    if wanted and adapter.net is None:
        field = next(iter(wanted))
        message = f"{adapter.name} has no network device, by which attributes of its functions are set"
        remedy = "take it out" if not adapter.is_network else "load the driver of its device"
        yield Refusal("not-a-nic", wish, message, remedy, asked.by[field], ATTRIBUTES[field])
        return
    for field, value in wanted.items():
        if lacks(quirks, field, value, function):
            message = f"{name} has no {ATTRIBUTES[field]} of functions"
            yield Refusal(
                "attribute-not-supported", wish, message, "take the key out", asked.by[field], ATTRIBUTES[field]
            )
    protocol = asked.settings.protocol
    if protocol is not None and protocol not in quirks.protocols:
        remedy = f"write {' or '.join(sorted(one.value for one in quirks.protocols))}"
        message = f"{name} has no port VLANs of {protocol.value}"
        yield Refusal("protocol-not-supported", wish, message, remedy, asked.by["protocol"], "protocol")
    yield from _check_together(index, asked, function, wish)
    yield from _check_link(adapter, quirks, asked, wish)


def lacks(quirks: Quirks, field: str, value: object, function: RealFunction | None) -> bool:
    """Whether an attribute cannot be set. What it is without the driver's help may be asked for all the same."""
    if ATTRIBUTES[field] in quirks.lacks:
        return bool(value != getattr(FRESH, field))
    if function is None or function.settings == Settings():
        return False
    return field in _TOLD_IF_THERE and getattr(function.settings, field) is None


def _check_together(index: int, asked: Asked, function: RealFunction | None, wish: str) -> Iterator[Refusal]:
    """Settings that several ranges say, or that the function has already."""
    settings, old = asked.settings, function.settings if function else FRESH
    least, most = (
        getattr(settings, name) if getattr(settings, name) is not None else getattr(old, name)
        for name in ("min_rate", "max_rate")
    )
    if least and most and least > most and {"min_rate", "max_rate"} & asked.by.keys():
        by = asked.by.get("min_rate", asked.by.get("max_rate"))
        message = f"function {index} would have {least}Mbit at least and {most}Mbit at most"
        yield Refusal("min-over-max", wish, message, "write a `max` that is not below `min`", by, "rate")
    vlan = settings.vlan if settings.vlan is not None else old.vlan
    if settings.qos and not vlan:
        message = f"function {index} has no VLAN, so no tag that qos could be in"
        yield Refusal("qos-without-vlan", wish, message, "write a VLAN, or take qos out", asked.by["qos"], "qos")


def _check_link(adapter: RealAdapter, quirks: Quirks, asked: Asked, wish: str) -> Iterator[Refusal]:
    if asked.settings.mac and quirks.mac_needs_up and adapter.net and not adapter.net.up:
        message = f"{adapter.name} is down, and then {adapter.driver} gives functions no MAC when their driver starts"
        yield Refusal("pf-down", wish, message, f"ip link set {adapter.name} up", asked.by["mac"], "mac")
    rate = asked.settings.max_rate
    if not rate or not quirks.rate_needs_link:
        return
    by, key = asked.by["max_rate"], "rate.max"
    if adapter.net and not adapter.net.carrier:
        message = f"{adapter.driver} takes rates only while {adapter.name} has carrier, which it has not"
        yield Refusal("rate-needs-link", wish, message, "set it up and plug the cable in", by, key)
    elif adapter.speed and rate > adapter.speed:
        message = f"{rate}Mbit is more than the {adapter.speed}Mbit of {adapter.name}"
        yield Refusal("rate-over-link", wish, message, f"write at most {adapter.speed}Mbit", by, key)


def _check_group(  # noqa: PLR0913, PLR0917 -- all of it is the question
    adapter: RealAdapter, index: int, asked: Asked, function: RealFunction | None, given: Set[str], wish: str
) -> Iterator[Refusal]:
    by = asked.by["driver"]
    if not (function.iommu_group if function else adapter.iommu_group):
        message = f"function {index} of {adapter.name} is in no IOMMU group: nothing keeps its holder out of memory"
        remedy = "turn the IOMMU on, in the firmware and with intel_iommu=on or amd_iommu=on"
        yield Refusal("no-iommu", wish, message, remedy, by, "driver")
    others = sorted(set(function.company) - set(given)) if function else []
    if others:
        message = f"function {index} of {adapter.name} shares its IOMMU group with {', '.join(others)}"
        remedy = "give them to vfio-pci, too, or to nobody"
        yield Refusal("iommu-group-shared", wish, message, remedy, by, "driver")


def check_macs(
    jobs: Sequence[tuple[RealAdapter, Mapping[int, Asked], str]], adapters: Sequence[RealAdapter]
) -> Iterator[Refusal]:
    """Each MAC is that of one function: of those asked for, and of those that others have."""
    holders: dict[Mac, str] = {}
    ours = {(adapter.address, index) for adapter, asked, _ in jobs for index in asked}
    for adapter in adapters:
        for function in adapter.functions:
            held = function.settings.mac
            if held and any(held.octets) and (adapter.address, function.index) not in ours:
                holders[held] = f"function {function.index} of {adapter.name}"
    told: set[tuple[str, int]] = set()
    for adapter, asked, wish in jobs:
        for index, one in sorted(asked.items()):
            mac = one.settings.mac
            if mac is None:
                continue
            here, by = f"function {index} of {adapter.name}", one.by["mac"]
            if mac in holders and (wish, by) not in told:
                told.add((wish, by))
                message = f"{mac} would be the MAC of {here} and of {holders[mac]}"
                yield Refusal("duplicate-mac", wish, message, "give each its own, or write a mac-pool", by, "mac")
            elif not any(mac.octets) or mac.is_multicast:
                message = f"the pool ends before {here}"
                yield Refusal("mac-pool-too-small", wish, message, "begin with a smaller MAC", by, "mac-pool")
            holders.setdefault(mac, here)
