# SPDX-License-Identifier: Apache-2.0
"""A wish as a document of ours: kind `adapter`, `driver: sriov`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from openfex.errors import InputError
from openfex.formats.ranges import flat
from openfex.formats.writing import span
from openfex.model.functions import AdapterWish, Selector, Settings
from openfex.model.wording import as_yaml

_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ""})
"""Words that some reader of YAML takes for something else."""
_MBIT_IN_GBIT = 1000


def write_document(wish: AdapterWish) -> str:
    """The document as YAML. Raises InputError for what a document cannot say."""
    said = document(wish)
    spec = dict(_mapping(said["spec"]))
    settings = _mapping(spec.pop("settings", {}))
    lines = [f"kind: {said['kind']}", f"name: {_text(said['name'])}", "spec:"]
    lines += [f"  {key}: {_text(value)}" for key, value in spec.items()]
    lines += ["  settings:"] if settings else []
    lines += [f"    {_text(key)}: {_text(value)}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def document(wish: AdapterWish) -> dict[str, object]:
    """The document as plain values. Raises InputError for what a document cannot say."""
    spec = {
        "driver": "sriov",
        "pfs": [_pf(pf, wish.numbers) for pf in wish.pfs],
        "functions": wish.functions,
        "hwmode": wish.hwmode.value if wish.hwmode else None,
        "autoprobe": wish.autoprobe,
        "settings": _settings(wish),
    }
    said = {key: value for key, value in spec.items() if value is not None and value != {}}
    return {"kind": "adapter", "name": wish.name, "spec": said}


def _pf(pf: Selector, numbers: tuple[int, int] | None) -> str | dict[str, str]:
    if pf.address and pf.name:
        raise InputError(f"{pf.address} and {pf.name} cannot both be asked of one PF", code="bad-pf")
    head = pf.address or pf.name
    if numbers:
        if not head:
            raise InputError("a range of functions needs the PF's address or name before it", code="bad-pf")
        head += f"#{span(*numbers)}"
    more = {"vendor": pf.vendor, "device": pf.device, "driver": pf.driver}
    said = {key: value for key, value in {"address": head, **more}.items() if value}
    return head if said == {"address": head} else said


def _settings(wish: AdapterWish) -> dict[str, dict[str, object]]:
    """By range. A mapping has a key once, so where a range is written twice the normal form is taken."""
    names = [span(first, last) for first, last, _ in wish.settings]
    ranges = wish.settings if len(set(names)) == len(names) else flat(wish.settings)
    said = {span(first, last): _function(settings) for first, last, settings in ranges}
    return {key: value for key, value in said.items() if value}


def _function(one: Settings) -> dict[str, object]:
    rate = {"min": _rate(one.min_rate), "max": _rate(one.max_rate)}
    said = {
        "mac": str(one.mac) if one.mac else None,
        "mac-pool": str(one.mac_pool) if one.mac_pool else None,
        "vlan": one.vlan,
        "qos": one.qos,
        "protocol": one.protocol.value if one.protocol else None,
        "rate": {key: value for key, value in rate.items() if value is not None} or None,
        "spoof-check": one.spoof_check,
        "trust": one.trust,
        "link": one.link.value if one.link else None,
        "rss-query": one.rss_query,
        "driver": one.driver.value if one.driver else None,
        "purpose": one.purpose,
    }
    return {key: value for key, value in said.items() if value is not None}


def _rate(mbit: int | None) -> str | int | None:
    if not mbit:
        return mbit
    return f"{mbit // _MBIT_IN_GBIT}Gbit" if mbit % _MBIT_IN_GBIT == 0 else f"{mbit}Mbit"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    """A value on one line, with every text quoted that any reader of YAML might take for something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str) and (value.lower() in _RESERVED or not value.isascii()):
        return json.dumps(value, ensure_ascii=False)
    return as_yaml(value)
