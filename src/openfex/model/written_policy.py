# SPDX-License-Identifier: Apache-2.0
"""How people write the values of rules, rates and sources; as written.py says those of all else."""

from __future__ import annotations

from openfex.model import addresses, protocols, quantities
from openfex.model.forms import Json, Written, whole, word_or_number, words_of

MOST_FRAMES = 10**9
MOST_BURST_FRAMES = 10**6
MOST_LEARNT = 256
_RANGE: Json = {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}
_FLAG = f"({'|'.join(protocols.FLAGS)})"

NETWORK = Written(
    "network",
    "IPv4 or IPv6 with a prefix length, and no bits behind the prefix; without a length it is one address",
    ("10.0.10.0/24", "10.0.10.5", '"fd00::/64"'),
    ("bad-network",),
    addresses.parse_network,
    {"type": "string", "minLength": 2},
)
MAC_BLOCK = Written(
    "MAC block",
    "a MAC, also a group's; with a length it is all that begin with the same bits",
    ("52:54:00:00:00:00/24", "ff:ff:ff:ff:ff:ff"),
    ("bad-mac",),
    addresses.parse_mac_block,
    {"type": "string", "pattern": "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}(/[0-9]{1,2})?$"},
)
ETHERTYPE = Written(
    "EtherType",
    f"{words_of(protocols.ETHERTYPES)}, or a number from {protocols.LEAST_ETHERTYPE:#06x} to 0xffff",
    ("arp", "0x88cc"),
    ("bad-ethertype",),
    protocols.parse_ethertype,
    {
        "anyOf": [
            {"enum": [*protocols.ETHERTYPES]},
            {"type": "string", "pattern": "^0[xX][0-9a-fA-F]{1,4}$"},
            {"type": "integer", "minimum": protocols.LEAST_ETHERTYPE, "maximum": 0xFFFF},
        ]
    },
)
PROTOCOL = Written(
    "protocol",
    f"{words_of(protocols.PROTOCOLS)}, or a number from 0 to 255. IPv6's extension headers are none",
    ("tcp", "47"),
    ("bad-protocol",),
    protocols.parse_protocol,
    word_or_number(protocols.PROTOCOLS, 255),
)
_PORT_SCHEMA: Json = {"type": "integer", "minimum": 0, "maximum": protocols.LAST_PORT}
_PORT_TEXT: Json = {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?(, ?[0-9]+(-[0-9]+)?)*$"}
PORTS = Written(
    "ports",
    "one port, a quoted list of ports and ranges, or a YAML list of these; no port twice",
    ("443", '"80,443,8000-8999"', '[80, "8000-8999"]'),
    ("bad-port",),
    protocols.parse_ports,
    {
        "anyOf": [
            _PORT_SCHEMA,
            _PORT_TEXT,
            {"type": "array", "items": {"anyOf": [_PORT_SCHEMA, _RANGE]}, "minItems": 1},
        ]
    },
)
ICMP_TYPE = Written(
    "ICMP type",
    f"{words_of(protocols.ICMP_WORDS)}, or a number from 0 to 255. A word has its number by the rule's protocol",
    ("echo-request", "8"),
    ("bad-icmp-type",),
    protocols.parse_icmp_type,
    word_or_number(protocols.ICMP_WORDS, 255),
)
TCP_FLAGS = Written(
    "TCP flags",
    "`established` (ACK or RST is set), `new` (SYN is set, ACK is not), or flags that are set and that are not: "
    f"`+syn-ack`, or `rst` for `+rst`. The flags are {words_of(protocols.FLAGS)}",
    ("established", "new", "+syn-ack"),
    ("bad-tcp-flags",),
    protocols.parse_flags,
    {"type": "string", "pattern": f"^({'|'.join(protocols.STATES)}|[+-]?{_FLAG}([+-]{_FLAG})*)$"},
)
FRAGMENT = Written(
    "kind of fragment",
    words_of(protocols.FRAGMENTS),
    ("later",),
    ("bad-choice",),
    protocols.parse_fragment,
    {"enum": [*protocols.FRAGMENTS]},
)
RATE = Written(
    "bit rate",
    f"a whole number and `kbit`, `Mbit` or `Gbit` (a second); {quantities.LEAST_RATE_KBIT}kbit to "
    f"{quantities.MOST_RATE_GBIT}Gbit",
    ("100Mbit", "1Gbit"),
    ("bad-rate",),
    quantities.parse_rate,
    {"type": "string", "pattern": "^[0-9]+(bit|kbit|Mbit|Gbit)$"},
)
BURST = Written(
    "burst",
    f"a whole number and `KiB` or `MiB`; at most {quantities.MOST_BURST_MIB}MiB",
    ("256KiB",),
    ("bad-rate",),
    quantities.parse_burst,
    {"type": "string", "pattern": "^[0-9]+(KiB|MiB)$"},
)
FRAMES = whole("frames", 1, MOST_FRAMES, ("100000",))
BURST_FRAMES = whole("burst of frames", 1, MOST_BURST_FRAMES, ("64",))
PCP = whole("PCP", 0, 7, ("5",))
DSCP = Written(
    "DSCP",
    "`ef`, `cs0` to `cs7`, `af11` to `af43`, or a number from 0 to 63",
    ("ef", "46"),
    ("bad-dscp",),
    protocols.parse_dscp,
    word_or_number(protocols.DSCPS, 63),
)
LEARN = whole("addresses learnt", 0, MOST_LEARNT, ("2",))
POLICY_VALUES = (
    NETWORK,
    MAC_BLOCK,
    ETHERTYPE,
    PROTOCOL,
    PORTS,
    ICMP_TYPE,
    TCP_FLAGS,
    FRAGMENT,
    RATE,
    BURST,
    FRAMES,
    BURST_FRAMES,
    PCP,
    DSCP,
    LEARN,
)
