# SPDX-License-Identifier: Apache-2.0
"""The fixed bench profile: access VLAN, an ACL, rates both ways, source guard. As a document, and in nftables. Pure.

Of the ACL's rules the last is the only one that the bench's frames match, so all of them have to be asked. The others
are denials that differ in address, protocol and ports, a third of them with a range of ports. The rates are far above
what one CPU carries: they are reckoned for each frame, and drop none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

VLAN = "vlan: {access: 10}"
RATE_GBIT = 10
RULES = 100
MANY_RULES = 1000
SUBNET, PORT = "10.0.0.0/16", "9"
"""What the last rule permits: the frames that `bench/traffic.py` makes."""
_LIMIT = f"limit rate over {RATE_GBIT * 1000 // 8} mbytes/second burst 1 mbytes counter drop"


@dataclass(frozen=True, slots=True)
class Denial:
    """Every rule but the last."""

    destination: str
    protocol: str
    port: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Who is behind a port of the Linux bridge, and may use no other's addresses."""

    port: str
    mac: str
    address: str


def denials(rules: int, first: int = 0) -> list[Denial]:
    """The rules before the last one; others for another `first`."""
    return [_denial(number) for number in range(first, first + rules - 1)]


def _denial(number: int) -> Denial:
    first = 1024 + number
    port = f"{first}-{first + 9}" if number % 3 == 0 else str(first)
    return Denial(f"172.{16 + number // 256}.{number % 256}.0/24", ("tcp", "udp")[number % 2], port)


def whole_profile() -> str:
    """The spec of the profile."""
    rate = f"rate: {{in: {RATE_GBIT}Gbit, out: {RATE_GBIT}Gbit}}"
    return f"{{{VLAN}, {_acl(RULES)}, {rate}, source: {{guard: true}}}}"


def acl_profile(rules: int, first: int = 0) -> str:
    """The spec of a profile with an ACL and nothing else."""
    return f"{{{VLAN}, {_acl(rules, first)}}}"


def _acl(rules: int, first: int = 0) -> str:
    lines = [
        f"{{deny: {{destination: {one.destination}, protocol: {one.protocol}, port: {one.port}}}}}"
        for one in denials(rules, first)
    ]
    lines.append(f"{{permit: {{source: {SUBNET}, protocol: udp, port: {PORT}}}}}")
    return f"acl: {{in: [{', '.join(lines)}]}}"


def one_by_one(rules: int) -> str:
    """The ACL in nftables as it is written: each rule is asked in turn."""
    lines = [f"ip daddr {one.destination} {one.protocol} dport {one.port} counter drop" for one in denials(rules)]
    return _chain("acl", [*lines, *_last_rules()])


def as_a_set(rules: int) -> str:
    """The same ACL as somebody writes it who knows nftables: the denials are one look-up in a set of intervals."""
    elements = ",\n".join(f"{one.destination} . {one.protocol} . {one.port}" for one in denials(rules))
    kind = "typeof ip daddr . meta l4proto . th dport; flags interval; counter"
    denied = f"set denied {{ {kind}; elements = {{ {elements} }} }}\n"
    look_up = "ip daddr . meta l4proto . th dport @denied drop"
    return denied + _chain("acl", [look_up, *_last_rules()])


def _last_rules() -> list[str]:
    return [f"ip saddr {SUBNET} udp dport {PORT} counter accept", "counter drop"]


def nftables(rules: str, machines: Iterable[Machine], whole: bool) -> str:
    """The profile at the ports of a Linux bridge, for `nft --file`; not `whole`: nothing but the ACL.

    At the hooks of the ports (family netdev), which are faster than those of the bridge. Frames with a VLAN tag are
    neither IP nor ARP there: an access port.
    """
    chains = [rules]
    for one in machines:
        chains += _whole_port(one) if whole else [_hook("in", one, ["goto acl"])]
    return "flush ruleset\ntable netdev bench {\n" + "".join(chains) + "}\n"


def _whole_port(one: Machine) -> list[str]:
    guard = f"ether saddr != {one.mac} counter drop"
    ip, arp = f"ip_{one.port}", f"arp_{one.port}"
    kinds = f"meta protocol vmap {{ ip : goto {ip}, arp : goto {arp} }}"
    return [
        _chain(ip, [f"ip saddr != {one.address} counter drop", _LIMIT, "goto acl"]),
        _chain(arp, [f"arp saddr ip {one.address} arp saddr ether {one.mac} accept", "counter drop"]),
        _hook("in", one, ["counter", guard, kinds]),
        _hook("out", one, ["counter", _LIMIT, "accept"]),
    ]


def _hook(way: str, one: Machine, lines: Sequence[str]) -> str:
    hook = "ingress" if way == "in" else "egress"
    base = f'type filter hook {hook} device "{one.port}" priority 0; policy drop;'
    return _chain(f"{way}_{one.port}", [base, *lines])


def _chain(name: str, lines: Sequence[str]) -> str:
    return f"chain {name} {{\n" + "\n".join(lines) + "\n}\n"
