# SPDX-License-Identifier: Apache-2.0
"""What a profile asks of frames, beside their VLANs: rules, rates, sources, priority. Values; `None` asks nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from openfex.model.values import Mac

MOST_RULES = 1_000
MOST_VALUES = 4_000
"""Networks, ports and all else that the rules of one ACL name; so its trees have a size that can be told before."""
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Numbers from `first` to `last`, both among them."""

    first: int
    last: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class MacBlock:
    """The addresses whose first `length` bits are those of `mac`; 48 is one address."""

    mac: Mac
    length: int = 48

    def __contains__(self, mac: Mac) -> bool:
        spare = 48 - self.length
        return int.from_bytes(mac.octets) >> spare == int.from_bytes(self.mac.octets) >> spare


class Fragment(Enum):
    """What a rule says of fragments, and what a frame is."""

    WHOLE = 0
    FIRST = 1
    LATER = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of an ACL: permit or deny what has all that is said here. Empty and None: whatever it has.

    Several networks, spans or numbers: one of them. `types` are ICMP types (of `protocol` 1 or 58). `flags` are pairs
    (mask, value) of the octet with the TCP flags, one of which must hold.
    """

    permit: bool
    source_macs: tuple[MacBlock, ...] = ()
    destination_macs: tuple[MacBlock, ...] = ()
    ethertypes: tuple[int, ...] = ()
    vlans: tuple[Span, ...] = ()
    sources: tuple[Network, ...] = ()
    destinations: tuple[Network, ...] = ()
    protocols: tuple[int, ...] = ()
    source_ports: tuple[Span, ...] = ()
    destination_ports: tuple[Span, ...] = ()
    types: tuple[int, ...] = ()
    flags: tuple[tuple[int, int], ...] = ()
    fragments: tuple[Fragment, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """A maximum: bits and frames a second, and how much of each may come at once (octets, frames). 0: none."""

    bits: int = 0
    burst_octets: int = 0
    frames: int = 0
    burst_frames: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Who may send beside its own MAC: `macs`, and the first `learn` others. `guard`: its own IP addresses only."""

    macs: tuple[Mac, ...] = ()
    learn: int = 0
    guard: bool = False


class Trust(Enum):
    """Which priority of a frame is believed."""

    NONE = "none"
    PCP = "pcp"
    DSCP = "dscp"


@dataclass(frozen=True, slots=True)
class Priority:
    """What priority a frame has inside: its own where `trust` says so, else `pcp`. `dscp`: what is written into IP."""

    trust: Trust = Trust.PCP
    pcp: int = 0
    dscp: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. An ACL of None permits everything; one without rules denies everything."""

    acl_in: tuple[Rule, ...] | None = None
    acl_out: tuple[Rule, ...] | None = None
    rate_in: Rate = Rate()
    rate_out: Rate = Rate()
    source: Source = Source()
    priority: Priority = Priority()

    @property
    def judges_out(self) -> bool:
        """Whether what leaves by the port is judged for it alone, so that no other may share its copy."""
        return self.acl_out is not None or self.rate_out != Rate()


FREE = Policy()
