# SPDX-License-Identifier: Apache-2.0
"""Values as other programs take them, and which of them a function can have here."""

from __future__ import annotations

import re

from openfex.errors import InputError
from openfex.model.addresses import parse_mac
from openfex.model.functions import FunctionDriver, LinkState, TagProtocol
from openfex.model.quantities import MOST_RATE_GBIT
from openfex.model.values import LAST_VLAN, Mac
from openfex.model.written import MOST_FUNCTIONS

LAST_FUNCTION = MOST_FUNCTIONS - 1
MOST_RATE = MOST_RATE_GBIT * 1000
"""In Mbit/s."""
LONGEST_PURPOSE = 120
MOST_32 = (1 << 32) - 1
PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
PCI_ID = re.compile(r"[0-9a-f]{4}")

Value = int | bool | Mac | LinkState | TagProtocol | FunctionDriver | str
"""What one setting of a function can be."""

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")
_OCTAL = re.compile(r"0[0-7]{1,20}")
_OCTETS = re.compile(r"[0-9a-fA-F]{12}")
_MAC = re.compile(r"[0-9a-fA-F]{1,4}([:.-][0-9a-fA-F]{1,4}){2,5}|[0-9a-fA-F]{12}")
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_FALSE = frozenset({"0", "no", "n", "false", "f", "off"})
_PROTOCOLS = {"802.1q": TagProtocol.DOT1Q, "802.1ad": TagProtocol.DOT1AD}
_NOT_LITERAL = re.compile(r"[*?\[\]!|&\\]")
_RANGES = {"vlan": (0, LAST_VLAN), "qos": (0, 7), "min_rate": (0, MOST_RATE), "max_rate": (0, MOST_RATE)}


def number(value: object, most: int = MOST_32, least: int = 0) -> int | None:
    """A whole number, also as text and in hexadecimal; None if it is none, or out of range."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return None
        value = int(value, 16 if value[:2] in ("0x", "0X") else 10)
    return value if isinstance(value, int) and least <= value <= most else None


def c_number(text: str, most: int = MOST_32, least: int = 0) -> int | None:
    """The same of a text that C reads (strtoul(3) with base 0): with a zero before it, it is octal."""
    if _OCTAL.fullmatch(text):
        return number(int(text, 8), most, least)
    return None if text.startswith("0") and text[:2].lower() != "0x" and text != "0" else number(text, most, least)


def truth(value: object) -> bool | None:
    """A truth value as systemd, NetworkManager, netplan and nmstate take it; None if it is none."""
    if isinstance(value, bool):
        return value
    word = str(value).lower() if isinstance(value, str | int) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def mac(value: object) -> Mac | None:
    """A MAC address with colons, hyphens or dots, or with nothing; None if it is none."""
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        return None
    width = 4 if "." in value else 2
    bare = "".join(part.zfill(width) for part in re.split("[:.-]", value))
    return Mac(bytes.fromhex(bare)) if _OCTETS.fullmatch(bare) else None


def protocol(value: object) -> TagProtocol | None:
    """`802.1Q` or `802.1ad`, in any case."""
    return _PROTOCOLS.get(value.lower()) if isinstance(value, str) else None


def literal(word: str) -> bool:
    """Whether a name is one, and not a pattern or its opposite."""
    return bool(word) and not _NOT_LITERAL.search(word)


def pci_address(value: object) -> str:
    """A PCI address in full, `0000:07:00.0`, from the same or without the domain; empty if it is none."""
    text = value.lower() if isinstance(value, str) else ""
    full = text if text.count(":") == 2 else f"0000:{text}"
    return full if PCI.fullmatch(full) else ""


def pci_id(value: object) -> str:
    """A PCI id as four hexadecimal digits, from the same or with `0x` before it; empty if it is none."""
    text = str(value).lower().removeprefix("0x") if isinstance(value, str | int) else ""
    return text if PCI_ID.fullmatch(text) else ""


def why_not(setting: str, value: Value) -> str:
    """Why a function cannot have this value here; empty if it can."""
    if isinstance(value, Mac):
        try:
            parse_mac(str(value))
        except InputError as error:
            return error.message
    if isinstance(value, str) and not (value.isprintable() and 0 < len(value.strip()) <= LONGEST_PURPOSE):
        return f"here it is one line of at most {LONGEST_PURPOSE} characters"
    low, high = _RANGES.get(setting, (0, MOST_32))
    if isinstance(value, int) and not low <= value <= high:
        return f"here it is {low} to {high}"
    return ""
