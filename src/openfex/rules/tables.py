# SPDX-License-Identifier: Apache-2.0
"""The flat tables that a decision reads: match -> action, nothing else. The kernel's twins are in bpf/include/abi.h.

A port's number is `link << 12 | channel` (model.values.port_number). On a bridge network ports are links 1..15 and
uplinks 16..79; on a host uplinks are links 1..15.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from openfex.model.drops import DropReason
from openfex.model.limits import DEFAULT_AGEING_NS, MAX_STATIONS
from openfex.model.policy import FREE, Policy
from openfex.model.values import ChannelKind, Mac


@dataclass(frozen=True, slots=True)
class Function:
    """A function as its port extender knows it.

    `vepa`: it is told apart by MAC and VLAN; what it sends untagged is in `vlan` (0: in none), and with a VLAN's tag it
    may only if it is a `trunk`.
    """

    up: bool = False
    vepa: bool = False
    vlan: int = 0
    trunk: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """A replication list on one uplink: who gets the frame with its VLAN tag, and who without (channel numbers)."""

    tagged: frozenset[int] = frozenset()
    untagged: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.tagged or self.untagged)

    def __len__(self) -> int:
        return len(self.tagged) + len(self.untagged)


@dataclass(slots=True)
class ExtenderTables:
    """What a port extender's decision reads.

    Keys: links by link, functions by port, lists by (link, list id), which on VEPA uplinks is the VLAN. `owners`: there
    the port that an address is one of, by (link, address).
    """

    links: dict[int, ChannelKind] = field(default_factory=dict)
    functions: dict[int, Function] = field(default_factory=dict)
    lists: dict[tuple[int, int], Members] = field(default_factory=dict)
    owners: dict[tuple[int, Mac], int] = field(default_factory=dict)

    def judge_function(self, port: int) -> DropReason:
        """Whether frames may pass a function's port at all."""
        function = self.functions.get(port)
        if function is None:
            return DropReason.UNKNOWN_CHANNEL
        return DropReason.NONE if function.up else DropReason.PORT_DOWN

    def keeping(self, old: ExtenderTables) -> ExtenderTables:
        """These, and the lists that a bridge goes on naming until it has its own new tables."""
        return replace(self, lists=old.lists | self.lists)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a profile asks of every port that has it: its VLANs, and its policy. `vlans` is None for an access port.

    `service` is the VLAN of the service tag around all that, 0 for none.
    `digest` is not 0 where all that is known of terms is that a kernel holds them.
    """

    vlan: int = 0
    vlans: frozenset[int] | None = None
    policy: Policy = FREE
    service: int = 0
    digest: int = 0

    @property
    def trunk(self) -> bool:
        """True if it carries tagged frames; `vlan` is then its native VLAN, 0 for none."""
        return self.vlans is not None

    def is_member(self, vlan: int) -> bool:
        """True if frames of this VLAN may leave by it."""
        return self.vlan == vlan if self.vlans is None else vlan in self.vlans

    def leaves_tagged(self, vlan: int) -> bool:
        """True if frames of this VLAN leave by it with a C-tag."""
        return self.trunk and self.vlan != vlan


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the bridge: a vEth, or a network port. `profile` is its row of `profiles`, 0 for none.

    `peer`: a network port that leads to another bridge of ours, for all vEths whatever they are pinned to.
    `addresses`: what its guard takes as its own, IPv4 in 4 octets and IPv6 in 16. `vepa`: its uplink is a VEPA one,
    where its frames bear the C-tag of their VLAN.
    """

    up: bool = False
    network: bool = False
    peer: bool = False
    vepa: bool = False
    profile: int = 0
    mac: Mac | None = None
    pin: int = 0
    addresses: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Flood:
    """Where a flooded frame goes: uplinks with one member at least, and with two at least; the list's id there.

    And the links of the peer ports that take what vEths send, and the vEths that are on no list: what leaves by them is
    judged for each alone.
    """

    any: frozenset[int] = frozenset()
    many: frozenset[int] = frozenset()
    list_id: int = 0
    peers: frozenset[int] = frozenset()
    judged: tuple[int, ...] = ()

    def between(self, new: Flood) -> Flood:
        """What holds while ports and profiles change from what goes with this one to what goes with `new`.

        To judge alone by a profile that judges nothing loses nothing, to put on a list who is to be judged would.
        (Where one begins and another ceases at once, who begins is judged a moment later than its profile says.) And a
        sender's own uplink gets a copy, whether it is on the list or not: by its profile that cannot be told now.
        """
        held = new if set(self.judged) <= set(new.judged) else self
        return replace(held, many=held.any)


@dataclass(frozen=True, slots=True)
class Station:
    """An address learnt on a network port. `epoch`: when it was last known not to be one of our vEths."""

    port: int
    seen_ns: int
    epoch: int = 0


@dataclass(slots=True)
class Memory:
    """What a bridge remembers of its vEths: addresses learnt as theirs, and when all is paid for that has passed.

    `due`: nanoseconds, by port, direction and kind of rate.
    """

    macs: dict[Mac, int] = field(default_factory=dict)
    due: dict[tuple[int, int, str], int] = field(default_factory=dict)

    def learnt(self, port: int) -> int:
        """How many addresses a vEth has been let in with."""
        return sum(owner == port for owner in self.macs.values())


@dataclass(slots=True)
class BridgeTables:
    """What a controlling bridge's decision reads, and the stations that it learns.

    Keys: links by link (None: a network port), profiles by number, ports and veths by port number and MAC, floods by
    (scope, VLAN) where scope 0 is any vEth and otherwise the link of a network port.
    """

    links: dict[int, ChannelKind | None] = field(default_factory=dict)
    profiles: dict[int, Terms] = field(default_factory=dict)
    ports: dict[int, Port] = field(default_factory=dict)
    veths: dict[Mac, int] = field(default_factory=dict)
    floods: dict[tuple[int, int], Flood] = field(default_factory=dict)
    stations: dict[tuple[Mac, int], Station] = field(default_factory=dict)
    ageing_ns: int = DEFAULT_AGEING_NS
    epoch: int = 0
    most_stations: int = MAX_STATIONS
    memory: Memory = field(default_factory=Memory, compare=False)

    def keeping(self, _: BridgeTables) -> BridgeTables:
        """Nobody asks a bridge for anything of its old tables."""
        return self

    def terms_of(self, port: Port) -> Terms:
        """What the port's profile asks; nobody is a member of a VLAN by a profile that is not there."""
        return self.profiles.get(port.profile, Terms())

    def leaves_tagged(self, port: Port, vlan: int) -> bool:
        """True if frames of this VLAN leave by the port with a C-tag."""
        return port.vepa or self.terms_of(port).leaves_tagged(vlan)

    def owner_of(self, mac: Mac) -> int | None:
        """The vEth that an address is one of."""
        owner = self.veths.get(mac)
        return self.memory.macs.get(mac) if owner is None else owner
