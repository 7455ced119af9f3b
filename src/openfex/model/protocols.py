# SPDX-License-Identifier: Apache-2.0
"""What rules say of frames, as people write it: EtherTypes, protocols, ports, ICMP types, TCP flags, DSCPs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from openfex.errors import InputError
from openfex.model.policy import Fragment, Span
from openfex.model.quantities import parse_whole
from openfex.model.wording import choose, either, nearest, shown

LEAST_ETHERTYPE = 0x0600
"""What is less is a length (IEEE 802.3, clause 3.2.6)."""
ETHERTYPES = {"ipv4": 0x0800, "ipv6": 0x86DD, "arp": 0x0806}
TCP, ICMP, ICMPV6 = 6, 1, 58
WITH_PORTS = {"tcp": TCP, "udp": 17, "sctp": 132, "dccp": 33, "udplite": 136}
PROTOCOLS = {
    **WITH_PORTS,
    "icmp": ICMP,
    "icmpv6": ICMPV6,
    "igmp": 2,
    "gre": 47,
    "esp": 50,
    "ospf": 89,
    "pim": 103,
    "vrrp": 112,
}
ICMP_TYPES: Mapping[int, Mapping[str, int]] = {
    ICMP: {
        "echo-reply": 0,
        "destination-unreachable": 3,
        "redirect": 5,
        "echo-request": 8,
        "router-advertisement": 9,
        "router-solicitation": 10,
        "time-exceeded": 11,
        "parameter-problem": 12,
    },
    ICMPV6: {
        "destination-unreachable": 1,
        "packet-too-big": 2,
        "time-exceeded": 3,
        "parameter-problem": 4,
        "echo-request": 128,
        "echo-reply": 129,
        "router-solicitation": 133,
        "router-advertisement": 134,
        "neighbor-solicitation": 135,
        "neighbor-advertisement": 136,
        "redirect": 137,
    },
}
"""By protocol: one word has another number in each."""
ICMP_WORDS = tuple(dict.fromkeys(word for types in ICMP_TYPES.values() for word in types))
FLAGS = {"fin": 0x01, "syn": 0x02, "rst": 0x04, "psh": 0x08, "ack": 0x10, "urg": 0x20}
STATES = {
    "established": ((FLAGS["ack"], FLAGS["ack"]), (FLAGS["rst"], FLAGS["rst"])),
    "new": ((FLAGS["syn"] | FLAGS["ack"], FLAGS["syn"]),),
}
"""What all but the first segment of a connection has, and what that has; a rule knows no connections."""
DSCPS = {
    **{f"cs{number}": 8 * number for number in range(8)},
    **{f"af{number}{drop}": 8 * number + 2 * drop for number in range(1, 5) for drop in range(1, 4)},
    "ef": 46,
}
"""RFC 2474, 2597 and 3246."""
FRAGMENTS = {"whole": Fragment.WHOLE, "first": Fragment.FIRST, "later": Fragment.LATER}
LAST_PORT = 65_535
_HEXADECIMAL = re.compile(r"0[xX]([0-9a-fA-F]{1,4})")
_SPAN = re.compile(r"([0-9]{1,15})(?:\s*-\s*([0-9]{1,15}))?")
_FLAG = re.compile(f"([+-])({'|'.join(FLAGS)})")

FlagPairs = tuple[tuple[int, int], ...]
"""Pairs of mask and value, one of which must hold."""


def _word(value: object, words: Mapping[str, int]) -> int | None:
    return words.get(value.lower()) if isinstance(value, str) else None


def _number(value: object, words: Mapping[str, int], last: int) -> int | None:
    """The number of a word, or a number up to the last."""
    number = parse_whole(value) if _word(value, words) is None else _word(value, words)
    return number if number is not None and number <= last else None


def parse_ethertype(value: object) -> int:
    """An EtherType from a word, `0x88cc`, or a decimal number. Raises InputError."""
    found = _HEXADECIMAL.fullmatch(value) if isinstance(value, str) else None
    number = int(found[1], 16) if found else _number(value, ETHERTYPES, 0xFFFF)
    if number is None or number < LEAST_ETHERTYPE:
        message = f"{shown(value)} is not an EtherType: a word, or a number from {LEAST_ETHERTYPE:#06x} to 0xffff"
        raise InputError(message, code="bad-ethertype", remedy=choose(str(value), ETHERTYPES, "words"))
    return number


def parse_protocol(value: object) -> int:
    """A protocol of IP from a word or a number. Raises InputError."""
    number = _number(value, PROTOCOLS, 255)
    if number is None:
        message = f"{shown(value)} is not a protocol of IP: a word, or a number from 0 to 255"
        raise InputError(message, code="bad-protocol", remedy=choose(str(value), PROTOCOLS, "words"))
    return number


def parse_icmp_type(value: object) -> int | str:
    """A type of ICMP or ICMPv6 as a number, or as a word whose number depends on which. Raises InputError."""
    if isinstance(value, str) and value.lower() in ICMP_WORDS:
        return value.lower()
    number = _number(value, {}, 255)
    if number is None:
        message = f"{shown(value)} is not an ICMP type: a word, or a number from 0 to 255"
        raise InputError(message, code="bad-icmp-type", remedy=choose(str(value), ICMP_WORDS, "words"))
    return number


def parse_dscp(value: object) -> int:
    """A DSCP from a word or a number. Raises InputError."""
    number = _number(value, DSCPS, 63)
    if number is None:
        message = f"{shown(value)} is not a DSCP: ef, cs0 to cs7, af11 to af43, or a number from 0 to 63"
        raise InputError(message, code="bad-dscp", remedy="write for example ef, or 46")
    return number


def parse_ports(value: object) -> tuple[Span, ...]:
    """Ports from `443`, `"80,443,8000-8999"` or `[80, "8000-8999"]`, in order; each is said once. Raises InputError."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    if not parts:
        raise InputError("the list names no port", code="bad-port", remedy='write for example [80, "8000-8999"]')
    spans = sorted(map(_parse_span, parts))
    for before, after in pairwise(spans):
        if after.first <= before.last:
            message = f"port {after.first} is in the list more than once"
            raise InputError(message, code="bad-port", remedy="name each port once")
    return tuple(spans)


def _parse_span(part: object) -> Span:
    text = str(part).strip() if isinstance(part, str | int) and not isinstance(part, bool) else ""
    found = _SPAN.fullmatch(text)
    if not found or int(found[1]) > LAST_PORT or int(found[2] or 0) > LAST_PORT:
        message = f"{shown(part)} is not a port from 0 to {LAST_PORT}, or a range like 8000-8999"
        raise InputError(message, code="bad-port", remedy='write for example 443, or "80,443,8000-8999"')
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise InputError(f"the range {shown(part)} runs backwards", code="bad-port", remedy=f"write {last}-{first}")
    return Span(first, last)


def parse_flags(value: object) -> FlagPairs:
    """What TCP's flags have to be: a state, or flags that are set (`+syn`, or `syn`) and not set. Raises InputError."""
    text = value.lower() if isinstance(value, str) else ""
    if text in STATES:
        return STATES[text]
    signed = text if text.startswith(("+", "-")) else f"+{text}"
    found = _FLAG.findall(signed)
    names = [name for _, name in found]
    if not found or "".join(sign + name for sign, name in found) != signed or len(set(names)) < len(names):
        message = f"{shown(value)} is not a state of TCP or its flags"
        remedy = choose(text, (*STATES, *FLAGS), "words") if text.isalpha() else "write for example +syn-ack"
        raise InputError(message, code="bad-tcp-flags", remedy=remedy)
    mask = sum(FLAGS[name] for name in names)
    return ((mask, sum(FLAGS[name] for sign, name in found if sign == "+")),)


def parse_fragment(value: object) -> Fragment:
    """What of a frame that was cut a frame is. Raises InputError."""
    word = value.lower() if isinstance(value, str) else ""
    if word not in FRAGMENTS:
        near = nearest(word, FRAGMENTS)
        remedy = f"did you mean {near}?" if near else "write one of them"
        raise InputError(f"{shown(value)} is not {either(FRAGMENTS)}", code="bad-choice", remedy=remedy)
    return FRAGMENTS[word]
