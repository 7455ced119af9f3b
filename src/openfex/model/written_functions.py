# SPDX-License-Identifier: Apache-2.0
"""How people write what is about real adapters and their functions. As in written.py, each kind of value once."""

from __future__ import annotations

import re

from openfex.errors import InputError
from openfex.model import addresses
from openfex.model.forms import Written, whole
from openfex.model.names import DEVICE, LONGEST_DEVICE, parse_text
from openfex.model.quantities import parse_whole
from openfex.model.values import LAST_VLAN
from openfex.model.wording import shown

PCI_ADDRESS = r"([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
LAST_FUNCTION = 65_534
_SELECTOR = re.compile(rf"(?P<address>{PCI_ADDRESS})|(?P<name>[^#\s/]+?)")
_NUMBERS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_ID = re.compile(r"(0x)?([0-9a-fA-F]{4})")
_RATE = re.compile(r"([0-9]{1,9})(Mbit|Gbit)")
MOST_RATE_MBIT = 400_000

Numbers = tuple[int, int]


def parse_numbers(text: str, whole_text: object) -> Numbers:
    """First and last of `5` or `0-3`. Raises InputError."""
    match = _NUMBERS.fullmatch(text)
    if match is None:
        message, remedy = f"{shown(whole_text)} is not a range of functions like 0-3", "write all, 5 or 0-3"
        raise InputError(message, code="bad-range", remedy=remedy)
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        remedy = f"write {last}-{first}"
        raise InputError(f"the range {shown(whole_text)} runs backwards", code="bad-range", remedy=remedy)
    if last > LAST_FUNCTION:
        raise InputError(f"{shown(whole_text)} is more than an adapter can have", code="bad-range")
    return first, last


def full_address(text: str) -> str:
    """A PCI address as sysfs has it: with its domain, in lower case."""
    return (text if text.count(":") == 2 else f"0000:{text}").lower()


def parse_pf(value: object) -> tuple[str, str, Numbers | None]:
    """Address and name, one of them empty, and the range behind `#`. Raises InputError."""
    text = parse_text(value, "bad-pf")
    head, sign, numbers = text.partition("#")
    match = _SELECTOR.fullmatch(head)
    if match is None or (match["name"] and not (re.fullmatch(DEVICE, head) and len(head) <= LONGEST_DEVICE)):
        remedy = "write a PCI address (0000:01:00.0), the PF's device (eno1), or {vendor: 8086, device: 10c9}"
        raise InputError(f"{shown(text)} names no PF", code="bad-pf", remedy=remedy)
    address = full_address(head) if match["address"] else ""
    return address, match["name"] or "", parse_numbers(numbers, text) if sign else None


def parse_range(value: object) -> Numbers | None:
    """`all` (None), or first and last. Raises InputError."""
    text = parse_text(value, "bad-range")
    return None if text == "all" else parse_numbers(text, text)


def parse_pci_id(value: object) -> str:
    """Four hexadecimal digits. YAML takes those without a letter for a number: then they are read as digits."""
    text = f"{value:04d}" if isinstance(value, int) and not isinstance(value, bool) else parse_text(value, "bad-pci-id")
    match = _ID.fullmatch(text)
    if match is None:
        raise InputError(f"{shown(value)} is not a PCI id of four hexadecimal digits", code="bad-pci-id")
    return match[2].lower()


def parse_port_vlan(value: object) -> int:
    """A VLAN id, or 0 for none. Raises InputError."""
    number = parse_whole(value)
    if number is None or number > LAST_VLAN:
        message = f"{shown(value)} is not a VLAN id from 1 to {LAST_VLAN}, or 0 for none"
        raise InputError(message, code="bad-vlan")
    return number


def parse_function_rate(value: object) -> int:
    """Mbit/s from `100Mbit`, `10Gbit`; 0 is no limit. Raises InputError."""
    if parse_whole(value) == 0:
        return 0
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    rate = int(match[1]) * (1000 if match[2] == "Gbit" else 1) if match else -1
    if not 0 <= rate <= MOST_RATE_MBIT:
        remedy = f"write a whole number and Mbit or Gbit, at most {MOST_RATE_MBIT // 1000}Gbit, or 0 for none"
        raise InputError(f"{shown(value)} is not a rate of a function", code="bad-rate", remedy=remedy)
    return rate


def parse_purpose(value: object) -> str:
    """One line of text. Raises InputError."""
    text = parse_text(value).strip()
    if not text or not text.isprintable() or len(text) > 120:
        raise InputError(f"{shown(text)} is not a line of at most 120 characters", code="bad-value")
    return text


PF = Written(
    "PF",
    "the PCI address of a physical function (its domain may be left out), or its network device; with `#` and a number "
    "or a range only these of its functions",
    ('"0000:01:00.0"', "eno1", '"eno1#0-3"'),
    ("bad-pf", "bad-range"),
    parse_pf,
    {"type": "string", "pattern": rf"^({PCI_ADDRESS}|[A-Za-z0-9][A-Za-z0-9_.-]*)(#[0-9]+(-[0-9]+)?)?$"},
)
RANGE = Written(
    "range",
    "`all`, the number of a function, or first and last",
    ("all", "0-3", "5"),
    ("bad-range",),
    parse_range,
    {"type": "string", "pattern": "^(all|[0-9]+(-[0-9]+)?)$"},
)
PCI_ID = Written(
    "PCI id",
    "four hexadecimal digits",
    ("8086", "10c9"),
    ("bad-pci-id",),
    parse_pci_id,
    {"anyOf": [{"type": "string", "pattern": "^(0x)?[0-9a-fA-F]{4}$"}, {"type": "integer", "maximum": 9999}]},
)
PORT_VLAN = Written(
    "port VLAN",
    f"a whole number from 1 to {LAST_VLAN}, or 0 for none",
    ("10", "0"),
    ("bad-vlan",),
    parse_port_vlan,
    {"type": "integer", "minimum": 0, "maximum": LAST_VLAN},
)
FUNCTION_RATE = Written(
    "rate of a function",
    f"a whole number and `Mbit` or `Gbit` (a second), at most {MOST_RATE_MBIT // 1000}Gbit; 0 for none",
    ("200Mbit", "10Gbit", "0"),
    ("bad-rate",),
    parse_function_rate,
    {"anyOf": [{"type": "string", "pattern": "^[0-9]+(Mbit|Gbit)$"}, {"const": 0}]},
)
QOS = whole("QoS", 0, 7, ("3",))
PURPOSE = Written(
    "purpose",
    "one line of text, at most 120 characters",
    ("database",),
    ("bad-value",),
    parse_purpose,
    {"type": "string", "maxLength": 120},
)
POOL = Written(
    "MAC pool",
    "the first of as many MACs as there are functions, one after another",
    ("52:54:00:00:10:00",),
    ("bad-mac",),
    addresses.parse_mac,
    {"type": "string", "pattern": "^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$"},
)
FUNCTION_VALUES = (PF, RANGE, PCI_ID, PORT_VLAN, FUNCTION_RATE, QOS, PURPOSE, POOL)
