# SPDX-License-Identifier: Apache-2.0
"""What is shown of this machine's real adapters and functions, and of what is done to them: plain rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from openfex.model.adapters import NetDevice, Owner, RealAdapter, RealFunction
from openfex.model.quirks import quirks_of
from openfex.plan.functions import FunctionPlan
from openfex.plan.records import Gift, Record, settings_to_json
from openfex.plan.steps import Step

Row = dict[str, object]


def adapter_rows(adapters: Iterable[RealAdapter], records: Mapping[str, Record]) -> list[Row]:
    """A row an adapter; and one for each that a record is of and that is not there."""
    there = {one.address: _adapter_row(one, records.get(one.address)) for one in adapters}
    gone = {address: _gone_row(record) for address, record in records.items() if address not in there}
    return [row for _, row in sorted((there | gone).items())]


def _adapter_row(one: RealAdapter, record: Record | None) -> Row:
    quirks = quirks_of(one.driver)
    return {
        "address": one.address,
        "name": one.net.name if one.net else None,
        "what": one.what,
        "driver": one.driver or None,
        "vendor": one.vendor,
        "device": one.device,
        "limit": one.total if quirks.most is None else min(one.total, quirks.most),
        "functions": one.count,
        "autoprobe": one.autoprobe,
        "hwmode": one.hwmode.value if one.hwmode else None,
        "numa": one.numa_node,
        "iommu_group": one.iommu_group or None,
        "link": _link(one.net),
        "speed": one.speed,
        "mac": str(one.net.mac) if one.net else None,
        "msix_pool": one.msix_pool,
        "errors": _errors(one.errors),
        "health": list(one.health) or ["good"],
        "managed": _managed(one, record),
        "generation": record.generation if record else None,
        "note": "a run was interrupted: apply or release it" if record and record.pending else "",
    }


def _gone_row(record: Record) -> Row:
    """As of an adapter, with what can be known of one that is not there."""
    names = ("name", "driver", "hwmode", "numa", "iommu_group", "link", "speed", "mac", "msix_pool", "errors")
    return {
        "address": record.adapter,
        **dict.fromkeys((*names, "what", "vendor", "device", "limit", "functions", "autoprobe")),
        "health": ["removed"],
        "managed": "adopted" if record.adopted else "ours",
        "generation": record.generation,
        "note": "it is not here any more; `fex gc` forgets it",
    }


def _managed(one: RealAdapter, record: Record | None) -> str:
    if record is not None:
        return "adopted" if record.adopted else "ours"
    return "by others" if one.count else "-"


def _errors(errors: tuple[int, int, int] | None) -> Row | None:
    return None if errors is None else dict(zip(("corrected", "nonfatal", "fatal"), errors, strict=True))


def _link(net: NetDevice | None) -> str | None:
    if net is None:
        return None
    return "down" if not net.up else "up" if net.carrier else "no carrier"


def function_rows(adapters: Iterable[RealAdapter], records: Mapping[str, Record], seen: Mapping[str, str]) -> list[Row]:
    """A row a function. `seen`: where the device of each was last."""
    return [
        _function_row(adapter, one, records.get(adapter.address), seen)
        for adapter in adapters
        for one in adapter.functions
    ]


def _function_row(adapter: RealAdapter, one: RealFunction, record: Record | None, seen: Mapping[str, str]) -> Row:
    gift = record.gifts.get(one.index) if record else None
    return {
        "address": one.address,
        "adapter": adapter.address,
        "pf": adapter.name,
        "index": one.index,
        "driver": one.driver or None,
        "owner": one.owner.value,
        "where": f"{one.net.name} in {one.net.space or 'host'}" if one.net else None,
        "link": _link(one.net),
        "open": one.open,
        "iommu_group": one.iommu_group or None,
        "msix": one.msix,
        **_attributes(one),
        "counters": asdict(one.counters),
        "errors": _errors(one.errors),
        "health": list(one.health) or ["good"],
        "purpose": record.purposes.get(one.index) if record else None,
        "given": _gift_view(gift) if gift else None,
        "note": _note(one, gift, seen),
    }


def _attributes(one: RealFunction) -> Row:
    """All of them by name; None is what the driver does not say."""
    names = (
        *("mac", "vlan", "qos", "protocol", "min_rate", "max_rate"),
        *("spoof_check", "trust", "link", "rss_query"),
    )
    values = settings_to_json(one.settings)
    return {("link_state" if name == "link" else name): values.get(name) for name in names}


def _gift_view(gift: Gift) -> Row:
    return {"to": gift.to, "name": gift.name or None, "generation": gift.generation}


def _note(one: RealFunction, gift: Gift | None, seen: Mapping[str, str]) -> str:
    parts = []
    if one.owner is Owner.LOST:
        last = seen.get(one.address)
        parts.append(f"last seen as {last}" if last else "never seen")
    if gift is not None:
        parts.append(f"given to {gift.to}, generation {gift.generation}")
    return "; ".join(parts)


def step_rows(made: Sequence[Step]) -> list[Row]:
    """A row a step."""
    return [
        {
            "step": number,
            "adapter": one.adapter,
            "function": one.index,
            "what": str(one),
            "disturbs": list(one.disturbs),
        }
        for number, one in enumerate(made, 1)
    ]


def plan_view(plan: FunctionPlan) -> Row:
    """A plan whole."""
    return {
        "adapters": [job.adapter.address for job in plan.jobs],
        "steps": step_rows(plan.steps),
        "forced": [{"code": one.code, "message": one.message} for one in plan.forced],
    }
