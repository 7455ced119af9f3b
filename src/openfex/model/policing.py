# SPDX-License-Identifier: Apache-2.0
"""What people write in a profile beside its VLANs: rules, rates, sources, priority. What it becomes: policy.py.

That the keys of a rule go together is for plan/rules.py to check: so each of them is told with its own line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from openfex.errors import InputError
from openfex.model import written, written_policy
from openfex.model.forms import AtLeastOne, Named, Otherwise, Shorthand
from openfex.model.policy import Fragment, MacBlock, Network, Span
from openfex.model.protocols import FlagPairs
from openfex.model.spec import Spec, one_or_more
from openfex.model.values import Mac

Vlans = Annotated[frozenset[int], written.VLANS]
ANY, UNLIMITED = Otherwise("any"), Otherwise("no limit")
SOME = AtLeastOne()
Networks = Annotated[
    tuple[Annotated[Network, written_policy.NETWORK], ...], SOME, one_or_more(written_policy.NETWORK), ANY
]
MacBlocks = Annotated[
    tuple[Annotated[MacBlock, written_policy.MAC_BLOCK], ...], SOME, one_or_more(written_policy.MAC_BLOCK), ANY
]
Ethertypes = Annotated[
    tuple[Annotated[int, written_policy.ETHERTYPE], ...], SOME, one_or_more(written_policy.ETHERTYPE), ANY
]
Protocols = Annotated[
    tuple[Annotated[int, written_policy.PROTOCOL], ...], SOME, one_or_more(written_policy.PROTOCOL), ANY
]
Ports = Annotated[tuple[Span, ...], written_policy.PORTS, ANY]
IcmpTypes = Annotated[
    tuple[Annotated[int | str, written_policy.ICMP_TYPE], ...], SOME, one_or_more(written_policy.ICMP_TYPE), ANY
]
TcpFlags = Annotated[
    tuple[Annotated[FlagPairs, written_policy.TCP_FLAGS], ...], SOME, one_or_more(written_policy.TCP_FLAGS), ANY
]
Fragments = Annotated[
    tuple[Annotated[Fragment, written_policy.FRAGMENT], ...], SOME, one_or_more(written_policy.FRAGMENT), ANY
]
Macs = Annotated[tuple[Annotated[Mac, written.MAC], ...], one_or_more(written.MAC)]


class MatchSpec(Spec):
    """What a frame has to have, all of it; of a list, one. Without any key it is every frame."""

    minds_nothing: ClassVar[bool] = True

    source: Networks = Field(
        (),
        description="the address it comes from (IPv4 or IPv6); of one family with `destination` (`families-differ`)",
        examples=["10.0.10.0/24", ["10.0.0.0/8", "192.168.0.0/16"]],
    )
    destination: Networks = Field(
        (),
        description="the address it goes to",
        examples=["10.0.10.5", "fd00:10::/64"],
    )
    protocol: Protocols = Field(
        (),
        description="what IP carries",
        examples=["tcp", ["tcp", "udp"], 47],
    )
    port: Ports = Field(
        (),
        description="the port it goes to; `protocol` has to name protocols that have ports (`port-needs-protocol`)",
        examples=[443, "80,443,8000-8999"],
    )
    source_port: Ports = Field(
        (),
        description="the port it comes from (`port-needs-protocol`)",
        examples=[53],
    )
    icmp_type: IcmpTypes = Field(
        (),
        description="of `protocol: icmp` or `icmpv6`, one of the two (`type-needs-icmp`)",
        examples=["echo-request", ["echo-request", "echo-reply"]],
    )
    tcp: TcpFlags = Field(
        (),
        description="the flags of `protocol: tcp` (`flags-need-tcp`). No connection is followed: `established` is any "
        "segment with ACK or RST",
        examples=["established", "+syn-ack"],
    )
    fragment: Fragments = Field(
        (),
        description="`whole` is no fragment, `first` has the ports; `later` ones have neither ports, types nor flags, "
        "so a rule that names these does not match them (`later-has-no-ports`)",
        examples=["later", ["whole", "first"]],
    )
    ethertype: Ethertypes = Field(
        (),
        description="what the frame carries, behind its VLAN tags",
        examples=["arp", ["ipv4", "ipv6", "arp"], "0x88cc"],
    )
    vlan: Annotated[Vlans, ANY] = Field(
        frozenset(),
        description="the VLAN that it is in inside the bridge, whether tagged or not",
        examples=["10,20-29"],
    )
    source_mac: MacBlocks = Field(
        (),
        description="the MAC it comes from",
        examples=["52:54:00:00:00:00/24"],
    )
    destination_mac: MacBlocks = Field(
        (),
        description="the MAC it goes to",
        examples=["ff:ff:ff:ff:ff:ff"],
    )


class RuleSpec(Spec):
    """A rule: permit or deny, and which frames."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["permit"]}, {"required": ["deny"]}]})

    permit: MatchSpec | None = Field(
        None,
        description="frames that may pass; `permit: {}` is every frame",
        examples=[{"protocol": "tcp", "port": 443}, {}],
    )
    deny: MatchSpec | None = Field(
        None,
        description="frames that are dropped; it has the keys of `permit`",
        examples=[{"protocol": "tcp", "port": 23}],
    )
    name: Annotated[str | None, written.NAME] = Field(
        None,
        description="what the rule is called where its hits are counted",
        examples=["web"],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> RuleSpec:
        if self.permit is None and self.deny is None:
            remedy = "write one of the two; {} behind it is every frame"
            raise InputError("neither permit nor deny is said", code="missing-key", remedy=remedy)
        if self.permit is not None and self.deny is not None:
            raise InputError("both permit and deny are said", code="bad-value", remedy="write a rule for each")
        return self

    @property
    def action(self) -> Literal["permit", "deny"]:
        """Which of the two it says."""
        return "deny" if self.permit is None else "permit"

    @property
    def match(self) -> MatchSpec:
        """Which frames it is about."""
        return next(one for one in (self.permit, self.deny) if one is not None)


Rules = Annotated[list[RuleSpec], Named("RULE", "rule"), Otherwise("every frame passes")]


class AclSpec(Spec):
    """The rules of a port, for each direction; an empty list drops everything."""

    minds_nothing: ClassVar[bool] = True

    in_: Rules = Field(
        [],
        description="for what enters the bridge by the port: what a NIC sends, or what comes from the network. At most "
        "1,000 rules (`too-many-rules`)",
        examples=[[{"permit": {"protocol": "tcp", "port": 443}}, {"deny": {"protocol": "tcp"}}, {"permit": {}}]],
    )
    out: Rules = Field(
        [],
        description="for what leaves the bridge by the port; the same as `in`",
        examples=[[{"permit": {"source": "10.0.10.0/24"}}]],
    )

    @property
    def directions(self) -> dict[str, list[RuleSpec]]:
        """The rules of each direction that has any said of it."""
        both = {"in": self.in_, "out": self.out}
        return {word: both[word] for word, name in (("in", "in_"), ("out", "out")) if name in self.model_fields_set}


class RateSpec(Spec):
    """How much a port takes in one direction: bits and frames a second, and how much of each at once."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    bits: Annotated[int | None, written_policy.RATE, UNLIMITED] = Field(
        None,
        description="bits a second, of frames as they are counted: from the addresses on, without the channel's tag",
        examples=["1Gbit"],
    )
    burst: Annotated[int | None, written_policy.BURST, Otherwise("what 250 ms bring, at least 64 KiB")] = Field(
        None,
        description="how much may come at once after a silence; needs `bits` (`burst-without-rate`)",
        examples=["256KiB"],
    )
    frames: Annotated[int | None, written_policy.FRAMES, UNLIMITED] = Field(
        None,
        description="frames a second; a super-frame counts as its segments",
        examples=[100000],
    )
    burst_frames: Annotated[int | None, written_policy.BURST_FRAMES, Otherwise("what 250 ms bring, at least 64")] = (
        Field(
            None,
            description="how many may come at once after a silence; needs `frames` (`burst-without-rate`)",
            examples=[64],
        )
    )


def _long_rate(value: object) -> object:
    """`1Gbit` is short for `{bits: 1Gbit}`."""
    return value if isinstance(value, Mapping) else {"bits": value}


Rate = Annotated[RateSpec, Shorthand("bit rate", _long_rate, dict(written_policy.RATE.schema))]


class RatesSpec(Spec):
    """The rates of a port, for each direction."""

    in_: Annotated[Rate | None, UNLIMITED] = Field(
        None,
        description="of what enters the bridge by the port: what a NIC sends, or what comes from the network",
        examples=["1Gbit", {"bits": "1Gbit", "burst": "1MiB", "frames": 100000}],
    )
    out: Annotated[Rate | None, UNLIMITED] = Field(
        None,
        description="of what leaves the bridge by the port; the same as `in`",
        examples=["100Mbit"],
    )


class SourceSpec(Spec):
    """Whose addresses a NIC may send from beside its own MAC."""

    macs: Macs = Field(
        (),
        description="MACs that it may send from, too; each belongs to one NIC of a lab (`duplicate-mac`)",
        examples=["52:54:00:00:01:01", ["52:54:00:00:01:01", "52:54:00:00:01:02"]],
    )
    learn: Annotated[int, written_policy.LEARN] = Field(
        0,
        description="so many others it may send from, the first that it uses",
        examples=[2],
    )
    guard: Annotated[bool, written.TRUTH] = Field(
        False,
        description="it sends from its own IP addresses alone, and speaks for no others in ARP and neighbour "
        "discovery; the NIC has to have an `address` (`guard-needs-address`)",
        examples=[True],
    )


class PrioritySpec(Spec):
    """Which priority a frame has inside the bridge and on the uplink, and what is written into it."""

    trust: Literal["none", "pcp", "dscp"] = Field(
        "pcp",
        description="which of its own is believed: none, that of its VLAN tag, or that of its IP header",
        examples=["dscp"],
    )
    pcp: Annotated[int, written_policy.PCP] = Field(
        0,
        description="the priority of a frame that has none to be believed: with `trust: pcp` one without a C-tag, with "
        "`dscp` one that is not IP, with `none` every one",
        examples=[5],
    )
    dscp: Annotated[int | None, written_policy.DSCP, Otherwise("it stays as it is")] = Field(
        None,
        description="what is written into the IP header of what comes in by the port",
        examples=["ef", 46],
    )
