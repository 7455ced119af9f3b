# SPDX-License-Identifier: Apache-2.0
"""How people write the values in documents. Each kind of value is said once: its name, its form, its JSON Schema.

Messages, `fex explain`, the reference and the schema that editors read are all made from this.
"""

from __future__ import annotations

from openfex.model import addresses, names, quantities
from openfex.model.catalogue import CATALOGUE
from openfex.model.forms import Json, Written, whole
from openfex.model.values import LAST_VLAN
from openfex.model.written_functions import FUNCTION_VALUES
from openfex.model.written_policy import POLICY_VALUES
from openfex.model.written_storage import STORAGE_VALUES

LEAST_MTU, MOST_MTU = 68, 65_535
MOST_FUNCTIONS = 65_535
"""PCIe counts the functions of an adapter in 16 bits."""
MOST_CPUS = 64

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
MTU = whole("MTU", LEAST_MTU, MOST_MTU, ("1500", "9000"))
COUNT = whole("count", 0, MOST_FUNCTIONS, ("16",))
MEMORY = Written(
    "memory",
    f"a whole number and `MiB` or `GiB`; at least {quantities.LEAST_MEMORY_MIB}MiB",
    ("192MiB", "1GiB"),
    ("bad-memory",),
    quantities.parse_memory,
    {"type": "string", "pattern": "^[0-9]+(MiB|GiB)$"},
)
CPUS = whole("CPUs", 1, MOST_CPUS, ("2",))
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
    *POLICY_VALUES,
    *FUNCTION_VALUES,
    *STORAGE_VALUES,
)
"""All kinds of values there are."""
