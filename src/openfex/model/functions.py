# SPDX-License-Identifier: Apache-2.0
"""What is asked of real adapters: which PFs, how many functions, and what each of these is to be.

`None` in a setting is: not said, so left as it is. The names of the settings are those of Linux (IFLA_VF_*, sysfs).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from openfex.model.values import Mac


class LinkState(Enum):
    """What a function sees of the link (IFLA_VF_LINK_STATE); the value is the word in documents."""

    AUTO = "auto"
    UP = "up"
    DOWN = "down"


class TagProtocol(Enum):
    """Of a function's port VLAN (the protocol in IFLA_VF_VLAN_LIST); the value is the word in documents."""

    DOT1Q = "802.1Q"
    DOT1AD = "802.1ad"


class FunctionDriver(Enum):
    """Who is to have a function: the driver of its device, vfio-pci, or nobody."""

    DEVICE = "device"
    VFIO = "vfio-pci"
    NONE = "none"


class HwMode(Enum):
    """How an adapter's embedded switch works (IFLA_BRIDGE_MODE)."""

    VEB = "veb"
    VEPA = "vepa"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a function is to be. Rates in Mbit/s, 0 for none; VLAN 0 is none."""

    mac: Mac | None = None
    vlan: int | None = None
    qos: int | None = None
    protocol: TagProtocol | None = None
    min_rate: int | None = None
    max_rate: int | None = None
    spoof_check: bool | None = None
    trust: bool | None = None
    link: LinkState | None = None
    rss_query: bool | None = None
    driver: FunctionDriver | None = None
    purpose: str | None = None
    mac_pool: Mac | None = None
    """The MAC of the first function of the range that it is said of; plan/wishes.py makes a `mac` of it."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Which PFs: those that have all that is said. `address` is a PCI address, `name` that of the PF's network device.

    `vendor` and `device` are PCI ids of four hexadecimal digits, `driver` the PF's own.
    """

    address: str = ""
    name: str = ""
    vendor: str = ""
    device: str = ""
    driver: str = ""


@dataclass(frozen=True, slots=True)
class AdapterWish:
    """What a document of kind `adapter` with `driver: sriov` asks for.

    `settings`: first and last function of a range, and what these are to be; where ranges overlap the later one wins,
    setting by setting. `functions` None: as many as there are. `numbers`: with `eno1#0-3`, the only functions that are
    ours; None: all.
    """

    name: str
    pfs: tuple[Selector, ...]
    functions: int | None = None
    hwmode: HwMode | None = None
    autoprobe: bool | None = None
    numbers: tuple[int, int] | None = None
    settings: tuple[tuple[int, int, Settings], ...] = ()


ATTRIBUTES = {
    "mac": "mac",
    "vlan": "vlan",
    "qos": "qos",
    "protocol": "protocol",
    "min_rate": "rate.min",
    "max_rate": "rate.max",
    "spoof_check": "spoof-check",
    "trust": "trust",
    "link": "link",
    "rss_query": "rss-query",
}
"""The settings that a PF's driver keeps (IFLA_VF_*), and their keys in documents."""
ALL_FUNCTIONS = (0, 65_535)
"""The range of settings that are said of all functions, however many there are."""


def said(settings: Settings) -> dict[str, Any]:
    """The settings that are said, by field."""
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: value for name, value in values.items() if value is not None}
