# SPDX-License-Identifier: Apache-2.0
"""How people write the values in documents. Each kind of value is said once: its name, its form, its JSON Schema.

Messages, `fex explain`, the reference and the schema that editors read are all made from this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from openfex.errors import InputError
from openfex.model import addresses, names, quantities
from openfex.model.catalogue import CATALOGUE
from openfex.model.values import LAST_VLAN
from openfex.model.wording import shown

LEAST_MTU, MOST_MTU = 68, 65_535
MOST_FUNCTIONS = 65_535
"""PCIe counts the functions of an adapter in 16 bits."""
MOST_CPUS = 64
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A kind of value: its name and form in words, examples as they are written, and what reads it or raises."""

    name: str
    form: str
    examples: tuple[str, ...]
    codes: tuple[str, ...]
    read: Callable[[object], object]
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Nothing of pydantic's own looks at the value, so no words of its own tell what is wrong with it."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return dict(self.schema)


@dataclass(frozen=True, slots=True, eq=False)
class Shorthand:
    """What may be written shorter: `form` says how, and `expand` makes the long form of it."""

    form: str
    expand: Callable[[object], object]
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [dict(self.schema), handler(core)]}


@dataclass(frozen=True, slots=True)
class Named:
    """Of a mapping: what people name there, as paths show it (`NIC`), and what each of it is."""

    word: str
    what: str


@dataclass(frozen=True, slots=True)
class NameOf:
    """The value names another thing: `profile`."""

    what: str


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What is taken if the key is not written and it depends."""

    words: str


def list_of(value: Written) -> Json:
    """The JSON Schema of a list of such values, each once."""
    return {"type": "array", "items": dict(value.schema), "uniqueItems": True}


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = quantities.parse_whole(value)
        if number is None or not least <= number <= most:
            raise InputError(f"{shown(value)} is not a whole number from {least} to {most}", code="bad-value")
        return number

    return read


NAME = Written(
    "name",
    "lower-case letters, digits and hyphens; begins and ends with a letter or digit; "
    f"at most {names.LONGEST_NAME} characters",
    ("h1", "sw-a"),
    ("bad-name",),
    names.parse_name,
    {"type": "string", "pattern": names.NAME, "maxLength": names.LONGEST_NAME},
)
DEVICE = Written(
    "device",
    "letters, digits, `_`, `.` and `-`; begins with a letter or digit; "
    f"at most {names.LONGEST_DEVICE} characters; not a name that is taken",
    ("eth0", "up-a"),
    ("bad-device", "reserved-name", "duplicate-device"),
    names.parse_device,
    {"type": "string", "pattern": names.DEVICE, "maxLength": names.LONGEST_DEVICE},
)
FUNCTION = Written(
    "function",
    "an adapter, `/` and the number of one of its functions, from 0",
    ("h1-nic0/3",),
    ("bad-value",),
    names.parse_function,
    {"type": "string", "pattern": names.FUNCTION},
)
WIRE = Written(
    "wire",
    "two network ports, each `BRIDGE/PORT`",
    ("[sw-a/up1, sw-b/up1]",),
    ("bad-wire",),
    names.parse_wire,
    {"type": "array", "items": {"type": "string", "pattern": "^[^/]+/[^/]+$"}, "minItems": 2, "maxItems": 2},
)
_VLAN_SCHEMA: Json = {"type": "integer", "minimum": 1, "maximum": LAST_VLAN}
_RANGE: Json = {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}
_VLAN_TEXT: Json = {"type": "string", "pattern": "^(all|[0-9]+(-[0-9]+)?(, ?[0-9]+(-[0-9]+)?)*)$"}
VLAN = Written(
    "VLAN",
    f"a whole number from 1 to {LAST_VLAN}",
    ("10",),
    ("bad-vlan",),
    quantities.parse_vlan,
    _VLAN_SCHEMA,
)
VLANS = Written(
    "VLANs",
    "one VLAN, a quoted list of VLANs and ranges, a YAML list of these, or `all`; no VLAN twice",
    ("10", '"10,20-29"', '[10, "20-29"]', "all"),
    ("bad-vlan", "overlapping-vlans"),
    quantities.parse_vlans,
    {"anyOf": [_VLAN_SCHEMA, _VLAN_TEXT, {"type": "array", "items": {"anyOf": [_VLAN_SCHEMA, _RANGE]}, "minItems": 1}]},
)
MAC = Written(
    "MAC",
    "six octets with colons; not a group address, not zero. Need not be quoted",
    ("52:54:00:00:00:01",),
    ("bad-mac",),
    addresses.parse_mac,
    {"type": "string", "pattern": "^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$"},
)
ADDRESS = Written(
    "address",
    "IPv4 or IPv6 of one station, with a prefix length; without one it is a single address (/32, /128)",
    ("10.0.10.1/24", '"fd00::1/64"'),
    ("bad-address",),
    addresses.parse_address,
    {"type": "string", "minLength": 2},
)
DURATION = Written(
    "duration",
    f"a whole number above 0 and `ms`, `s`, `m` or `h`; at most {quantities.LONGEST_DURATION_S}s",
    ("250ms", "300s", "5m"),
    ("bad-duration",),
    quantities.parse_duration,
    {"type": "string", "pattern": "^[0-9]*[1-9][0-9]*(ms|s|m|h)$"},
)
MTU = Written(
    "MTU",
    f"a whole number from {LEAST_MTU} to {MOST_MTU}",
    ("1500", "9000"),
    ("bad-value",),
    _whole(LEAST_MTU, MOST_MTU),
    {"type": "integer", "minimum": LEAST_MTU, "maximum": MOST_MTU},
)
COUNT = Written(
    "count",
    f"a whole number from 0 to {MOST_FUNCTIONS}",
    ("16",),
    ("bad-value",),
    _whole(0, MOST_FUNCTIONS),
    {"type": "integer", "minimum": 0, "maximum": MOST_FUNCTIONS},
)
MEMORY = Written(
    "memory",
    f"a whole number and `MiB` or `GiB`; at least {quantities.LEAST_MEMORY_MIB}MiB",
    ("192MiB", "1GiB"),
    ("bad-memory",),
    quantities.parse_memory,
    {"type": "string", "pattern": "^[0-9]+(MiB|GiB)$"},
)
CPUS = Written(
    "CPUs",
    f"a whole number from 1 to {MOST_CPUS}",
    ("2",),
    ("bad-value",),
    _whole(1, MOST_CPUS),
    {"type": "integer", "minimum": 1, "maximum": MOST_CPUS},
)
FILE = Written(
    "file",
    "a path that begins with `/`",
    ("/srv/images/initrd",),
    ("bad-value",),
    names.parse_file,
    {"type": "string", "pattern": names.FILE},
)
MODEL = Written(
    "model",
    "the name of an adapter model; a number is a name, too",
    ("vic-1280", "82599"),
    ("unknown-model",),
    names.parse_text,
    {"enum": [*CATALOGUE, *(int(model) for model in CATALOGUE if model.isdigit())]},
)
TRUTH = Written(
    "truth value",
    "`true` or `false`",
    ("true",),
    ("bad-value",),
    quantities.parse_truth,
    {"type": "boolean"},
)
VALUES = (
    NAME,
    DEVICE,
    FUNCTION,
    WIRE,
    VLAN,
    VLANS,
    MAC,
    ADDRESS,
    DURATION,
    MTU,
    COUNT,
    MEMORY,
    CPUS,
    FILE,
    MODEL,
    TRUTH,
)
"""All kinds of values there are."""
