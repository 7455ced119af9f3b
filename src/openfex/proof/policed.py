# SPDX-License-Identifier: Apache-2.0
"""The lab of the proofs of policy: one host, one bridge whose network port has the same profile as a vEth.

Told twice, as the demo's (topology.py): as documents, and laid out by hand with the standard library alone. The rules
are said once; the documents have them in their words.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from openfex.model.layout import AUTO, Binding, Bridge, Layout, Machine, NetworkPort, Profile
from openfex.model.policy import FREE, Fragment, Policy, Rate, Rule, Source, Span
from openfex.model.protocols import ETHERTYPES, PROTOCOLS, STATES
from openfex.model.quantities import format_rate
from openfex.model.rule_words import rule_words
from openfex.model.values import ChannelKind
from openfex.proof.bed import ETHERTYPE
from openfex.proof.topology import BRIDGE, LAB, host_documents, host_of, mac_of, uuid_of

VLAN = 10
PORT = "up0"
NEIGHBOURS = "neighbours"
"""The rule that takes what machines say by themselves, too: what it counts is not only the proofs'."""
_TCP = (PROTOCOLS["tcp"],)
RULES = (
    Rule(True, ethertypes=(ETHERTYPES["arp"], ETHERTYPES["ipv6"], ETHERTYPE), name=NEIGHBOURS),
    Rule(True, protocols=_TCP, destination_ports=(Span(80, 80), Span(443, 443)), name="web"),
    Rule(
        permit=True,
        sources=(IPv4Network("192.0.2.0/28"),),
        protocols=_TCP,
        destination_ports=(Span(22, 22),),
        name="admin",
    ),
    Rule(True, protocols=_TCP, flags=STATES["established"], name="answers"),
    Rule(True, protocols=(PROTOCOLS["icmp"],), types=(8,), name="ping"),
    Rule(False, fragments=(Fragment.LATER,), name="fragments"),
)
RATE = Rate(10_000_000, 256 << 10)
MACHINES = (("client", "open"), ("server", "edge"), ("guarded", "guarded"), ("slow", "slow"))
"""Name and profile."""


def policies_of(kind: ChannelKind) -> dict[str, Policy]:
    """What the profiles ask, by name. By VEPA none can judge what leaves by a vEth."""
    edge = Policy(acl_in=RULES) if kind is ChannelKind.VEPA else Policy(acl_in=RULES, acl_out=RULES)
    return {
        "open": FREE,
        "edge": edge,
        "guarded": Policy(source=Source(guard=True)),
        "slow": Policy(rate_in=RATE),
    }


def _rule(rule: Rule) -> str:
    return f"{{name: {rule.name}, {rule_words(rule)}}}"


def _policy(policy: Policy) -> Iterator[str]:
    """What a profile says beside its VLAN, key by key."""
    acls = (("in", policy.acl_in), ("out", policy.acl_out))
    lists = [f"    {way}:\n" + "".join(f"    - {_rule(rule)}\n" for rule in acl) for way, acl in acls if acl]
    if lists:
        yield f"  acl:\n{''.join(lists)}"
    if policy.rate_in != Rate():
        burst = f"{policy.rate_in.burst_octets >> 10}KiB"
        yield f"  rate: {{in: {{bits: {format_rate(policy.rate_in.bits)}, burst: {burst}}}}}\n"
    if policy.source.guard:
        yield "  source: {guard: true}\n"


def documents(kind: ChannelKind, attachment: str = AUTO) -> str:
    """The lab as documents."""
    parts = [f"kind: network\nname: {LAB}\nspec: {{bridges: {{{BRIDGE}: {{ports: {{{PORT}: {{profile: edge}}}}}}}}}}\n"]
    for name, policy in policies_of(kind).items():
        asked = "".join(_policy(policy))
        parts.append(f"kind: profile\nname: {name}\nspec:\n  vlan: {{access: {VLAN}}}\n{asked}")
    parts += host_documents("h1", kind, attachment)
    for number, (name, profile) in enumerate(MACHINES, start=1):
        nic = f'{{profile: {profile}, mac: "{mac_of(number)}", address: {_address(number)}}}'
        parts.append(f"kind: machine\nname: {name}\nspec: {{host: h1, nics: {{eth0: {nic}}}}}\n")
    return "---\n".join(parts)


def _address(number: int) -> str:
    return f"10.0.{VLAN}.{number}/24"


def layout(kind: ChannelKind, attachment: str = AUTO) -> Layout:
    """The lab laid out."""
    named = enumerate(policies_of(kind).items(), start=2)
    profiles = {name: Profile(name, VLAN, policy=policy, number=row) for row, (name, policy) in named}
    port = NetworkPort(BRIDGE, PORT, 1, profiles["edge"])
    host = host_of("h1", 0, kind, attachment)
    bindings = tuple(
        Binding(
            uuid_of(name, "eth0"),
            1,
            name,
            "eth0",
            function,
            profiles[profile],
            mac_of(number),
            (_address(number),),
            1500,
            host.uplinks[0],
            port,
        )
        for number, ((name, profile), function) in enumerate(zip(MACHINES, host.functions, strict=False), start=1)
    )
    machines = tuple(Machine(name, "h1", False) for name, _ in MACHINES)
    bridge = Bridge(BRIDGE, "a", (port,), 300_000)
    return Layout(LAB, (bridge,), (host,), machines, bindings, tuple(profiles.values()))
