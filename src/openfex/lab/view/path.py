# SPDX-License-Identifier: Apache-2.0
"""The way of a machine's frames, hop by hop, and what would drop them. Pure.

The way out is read from the machine to the network; what comes back passes the same hops the other way. A hop is a
device, the program of ours that must run there, and the port that the program counts on. `would_drop` walks the hops
and says, for each thing that is not as it must be, what becomes of a frame there: dropped and counted under a reason,
or lost where nobody counts (`reason` is None).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from openfex.lab.names import netns_of
from openfex.lab.view.attachment import Attached, at_function, at_network_port, at_uplink
from openfex.lab.view.inventory import machine_space
from openfex.lab.view.policy import policy_parts, policy_row
from openfex.lab.view.shape import shape_lines, shape_row
from openfex.lab.view.sight import DeviceSight, NodeSight, Row, Sight, bridge_port_name, host_port_name, node_of
from openfex.lab.view.stations import entry_lines, entry_rows
from openfex.linux.filters import Filter
from openfex.model.drops import DropReason
from openfex.model.layout import XDP, Binding
from openfex.model.limits import VLAN_ROOM
from openfex.model.place import Place
from openfex.model.values import port_channel, port_link, port_number
from openfex.plan.ledger import NOTHING, Tally
from openfex.rules.tables import BridgeTables, ExtenderTables, Port

LABEL = "openfex:"
"""What the names of our filters begin with."""
Problem = tuple[DropReason | None, str]
"""Why a frame is dropped, or None where it is lost uncounted; and the same in words."""


@dataclass(frozen=True)
class Hop:
    """One hop: what it is, its device, the program that must run there and for which port number it must count."""

    what: str
    place: Place
    program: str = ""
    number: int = 0
    port: str = ""
    attached: Attached | None = None

    @property
    def is_xdp(self) -> bool:
        """Whether an XDP program must run there, too."""
        return self.attached is not None and self.attached.chosen == XDP

    @property
    def classid(self) -> int:
        """What the filter tells the program: the whole port number, or the link where channels are told by tags."""
        return self.number if self.program == "extender_up" else port_link(self.number)


@dataclass(frozen=True)
class Path:
    """A binding's hops from the machine outwards, and what was seen of them."""

    sight: Sight
    binding: Binding
    hops: tuple[Hop, ...]
    devices: Mapping[Place, DeviceSight]

    def device(self, hop: Hop) -> DeviceSight:
        """What was seen of a hop's device."""
        return self.devices.get(hop.place, DeviceSight())

    def node(self, hop: Hop) -> NodeSight:
        """The datapath that a hop is part of."""
        return self.sight.nodes.get(hop.place.netns, NodeSight())

    def filter(self, hop: Hop) -> Filter | None:
        """The filter of ours on a hop's device."""
        return next((one for one in self.device(hop).filters if one.label.startswith(LABEL)), None)


def hops_of(sight: Sight, binding: Binding) -> tuple[Hop, ...]:
    """The hops of a binding, of a real host's those at the bridge; the pinned network port is that of its tables."""
    layout, uplink, function = sight.layout, binding.uplink, binding.function
    host, bridge = layout.host(uplink.host), layout.bridge(uplink.bridge)
    at_host, at_bridge = netns_of(layout.lab, "host", host.name), netns_of(layout.lab, "bridge", bridge.name)
    machine = next(one for one in layout.machines if one.name == binding.machine)
    wire = at_uplink(binding)

    def on_host(what: str, device: str, program: str, number: int) -> Hop:
        attached = wire if what == "uplink" else at_function(layout, binding)
        return Hop(what, Place(at_host, device), program, number, host_port_name(host, number), attached)

    def on_bridge(what: str, device: str, number: int, attached: Attached | None) -> Hop:
        program = "bridge_in" if device else ""
        return Hop(what, Place(at_bridge, device), program, number, bridge_port_name(layout, bridge, number), attached)

    hops = []
    if not host.remote:
        hops += [] if layout.is_tap(binding) else [Hop("NIC", Place(machine_space(layout, machine), binding.nic))]
        hops.append(on_host("function", function.pf_device, "extender_up", binding.host_port))
        hops.append(on_host("uplink", uplink.device, "extender_down", port_number(uplink.host_link)))
    if layout.is_foreign(bridge.name):
        return tuple(hops)
    hops += [
        on_bridge("uplink", uplink.bridge_device, port_number(uplink.bridge_link), wire),
        on_bridge("vEth", "", binding.bridge_port, None),
    ]
    pin = _pin(sight, binding)
    devices = {port.number: port.name for port in bridge.ports}
    if pin in devices:
        hops.append(on_bridge("network port", devices[pin], pin, at_network_port(binding)))
    return tuple(hops)


def _pin(sight: Sight, binding: Binding) -> int:
    tables = sight.bridge(binding.uplink.bridge)
    port = tables.ports.get(binding.bridge_port) if tables else None
    if port and port.up:
        return port.pin
    return binding.pin.number if binding.pin else 0


def path_view(path: Path) -> Row:
    """Everything there is to say about a path: its ids, its hops, and what would drop a frame."""
    binding = path.binding
    return {
        "nic": binding.name,
        "uuid": binding.uuid,
        "generation": binding.generation,
        "function": binding.function.name,
        "profile": binding.profile.name,
        "fabric": binding.uplink.fabric,
        "kind": binding.uplink.kind.value,
        "channel": binding.function.channel,
        "mac": str(binding.mac),
        "policy": _policy(path),
        "attachment": at_uplink(binding).row(),
        "shape": shape_row(binding.uplink.shape),
        "hops": hop_rows(path),
        "entries": entry_rows(path.sight, binding),
        "would_drop": would_drop(path),
    }


def _policy(path: Path) -> Row | None:
    return policy_row(path.sight.bridge(path.binding.uplink.bridge), path.binding.bridge_port)


def hop_rows(path: Path) -> list[Row]:
    """One row a hop, from the machine outwards."""
    return [_hop_row(path, step, hop) for step, hop in enumerate(path.hops, start=1)]


def _hop_row(path: Path, step: int, hop: Hop) -> Row:
    device, filter_, node = path.device(hop), path.filter(hop), path.node(hop)
    link, lost = device.link, device.statistics
    counted = _counted(path, hop)
    return {
        "hop": step,
        "what": hop.what,
        "node": node_of(path.sight.layout, hop.place.netns)[1],
        "device": hop.place.device or None,
        "ifindex": link.index if link else None,
        "link": _link_state(device) if hop.place.device else None,
        "mtu": link.mtu if link else None,
        "mac": _mac(path, hop),
        "addresses": list(device.addresses),
        "program": filter_.label.removeprefix(LABEL) if filter_ else None,
        "program_id": filter_.program_id if filter_ else None,
        "current": filter_.program_id in node.programs if filter_ else None,
        "attachment": hop.attached.row() if hop.attached else None,
        "xdp_program": node.programs.get(link.xdp) if link else None,
        "xdp_program_id": (link.xdp or None) if link else None,
        "port": hop.port or None,
        "number": hop.number or None,
        "channel": port_channel(hop.number) or None,
        "state": _port_state(node, hop),
        **counted.row(),
        "lost": lost.rx_dropped + lost.tx_dropped if lost else 0,
    }


def _counted(path: Path, hop: Hop) -> Tally:
    node = path.node(hop)
    if hop.what == "vEth":
        return path.sight.tally(node_of(path.sight.layout, hop.place.netns)[1], hop.number)
    return node.tally(hop.number) if hop.number else NOTHING


def _mac(path: Path, hop: Hop) -> str | None:
    if hop.what == "vEth":
        port = _veth(path, hop)
        return str(port.mac) if port and port.mac else None
    link = path.device(hop).link
    return str(link.mac) if link else None


def _link_state(device: DeviceSight) -> str:
    if device.link is None:
        return "missing"
    if not device.link.up:
        return "down"
    return "up" if device.link.carrier else "no carrier"


def _port_state(node: NodeSight, hop: Hop) -> str | None:
    """What the node's tables say of the port a hop counts on."""
    if not hop.number:
        return None
    tables = node.tables
    if tables is None:
        return "no datapath"
    if hop.what == "uplink":
        kind = tables.links.get(port_link(hop.number))
        return f"up, {kind.value}" if kind else "missing"
    row = tables.ports.get(hop.number) if isinstance(tables, BridgeTables) else tables.functions.get(hop.number)
    return "missing" if row is None else "up" if row.up else "down"


def would_drop(path: Path) -> list[Row]:
    """What would drop a frame on this path, from the machine outwards; empty if nothing would."""
    checks = {"NIC": _check_nic, "function": _check_function, "uplink": _check_uplink, "vEth": _check_veth}
    rows: list[Row] = []
    for step, hop in enumerate(path.hops, start=1):
        found = [*_check_device(path, hop), *_check_program(path, hop)]
        found += checks.get(hop.what, _check_network_port)(path, hop)
        where = hop.port or f"{node_of(path.sight.layout, hop.place.netns)[1]}:{hop.place.device}"
        for reason, message in found:
            rows.append({"hop": step, "where": where, "reason": reason.word if reason else None, "message": message})
    return rows


def _check_device(path: Path, hop: Hop) -> Iterator[Problem]:
    state = _link_state(path.device(hop))
    if not hop.place.device or state == "up":
        return
    what = {"missing": "is not there", "down": "is down", "no carrier": "has no carrier: its far end is down or gone"}
    yield None, f"the device {hop.place.device} {what[state]}"


def _check_program(path: Path, hop: Hop) -> Iterator[Problem]:
    if not hop.program or path.device(hop).link is None:
        return
    found = path.filter(hop)
    if found is None:
        yield None, f"the program {hop.program} is not attached to {hop.place.device}: its frames are not taken"
    elif found.classid != hop.classid:
        yield None, f"the program on {hop.place.device} takes its frames for those of port {found.classid:#x}"


def _check_nic(path: Path, hop: Hop) -> Iterator[Problem]:
    link, mac = path.device(hop).link, path.binding.mac
    if link and path.sight.layout.is_xdp(path.binding) and not path.device(hop).polled:
        yield None, "the machine has switched GRO off: its NIC does not take what XDP sends"
    if link and link.mac != mac:
        yield DropReason.SPOOFED_SOURCE, f"the machine has set the MAC {link.mac}, the port allows {mac} only"
    uplink = path.binding.uplink
    room = uplink.mtu - uplink.kind.overhead - VLAN_ROOM
    if link and link.mtu > room:
        yield None, f"the machine has set MTU {link.mtu}: frames above {room} do not fit the uplink"


def _check_function(path: Path, hop: Hop) -> Iterator[Problem]:
    tables = path.node(hop).tables
    if not isinstance(tables, ExtenderTables):
        yield None, "the host has no datapath"
    elif hop.number not in tables.functions:
        yield DropReason.UNKNOWN_CHANNEL, "the host's tables do not know the function"
    elif not tables.functions[hop.number].up:
        yield DropReason.PORT_DOWN, "the function is down in the host's tables: no profile, no traffic"


def _check_uplink(path: Path, hop: Hop) -> Iterator[Problem]:
    tables, kind = path.node(hop).tables, path.binding.uplink.kind
    link = path.device(hop).link
    if link and hop.is_xdp and not link.xdp:
        yield None, f"{hop.place.device} has no XDP program: it does not take what XDP sends"
    if tables is None:
        yield None, "the node has no datapath"
    elif tables.links.get(port_link(hop.number)) is not kind:
        found = tables.links.get(port_link(hop.number))
        yield DropReason.NOT_IN_CHANNEL, f"the tables have {found.value if found else 'nothing'} here, not {kind.value}"


def _veth(path: Path, hop: Hop) -> Port | None:
    tables = path.node(hop).tables
    return tables.ports.get(hop.number) if isinstance(tables, BridgeTables) else None


def _check_veth(path: Path, hop: Hop) -> Iterator[Problem]:
    tables, port, mac = path.node(hop).tables, _veth(path, hop), path.binding.mac
    if not isinstance(tables, BridgeTables):
        return
    if port is None:
        yield DropReason.UNKNOWN_CHANNEL, "the bridge's tables do not know the vEth"
        return
    if not port.up:
        yield DropReason.PORT_DOWN, "the vEth is down, no profile: no profile, no traffic"
        return
    if port.mac != mac:
        yield DropReason.SPOOFED_SOURCE, f"the vEth allows {port.mac} only, the binding is {mac}"
    if tables.veths.get(mac) != hop.number:
        yield DropReason.NO_RECEIVER, f"the bridge does not send to this vEth what is for {mac}"
    if not port.pin:
        yield DropReason.NO_RECEIVER, "the vEth is pinned to no network port: nothing of it reaches the network"


def _check_network_port(path: Path, hop: Hop) -> Iterator[Problem]:
    tables = path.node(hop).tables
    port = tables.ports.get(hop.number) if isinstance(tables, BridgeTables) else None
    veth = tables.ports.get(path.binding.bridge_port) if isinstance(tables, BridgeTables) else None
    if port is None or not port.up:
        yield DropReason.NO_RECEIVER, "the network port is down: nothing reaches the network by it"
    elif isinstance(tables, BridgeTables) and veth and veth.up and not _vlans(tables, veth) & _vlans(tables, port):
        yield DropReason.NO_RECEIVER, "the network port is in no VLAN of the vEth"


def _vlans(tables: BridgeTables, port: Port) -> frozenset[int]:
    terms = tables.terms_of(port)
    return frozenset({terms.vlan}) if terms.vlans is None else terms.vlans


def head_lines(binding: Binding) -> list[str]:
    """What a path is about."""
    uplink, function = binding.uplink, binding.function
    where = f"channel {function.channel} ({uplink.kind.value}) on fabric {uplink.fabric}"
    return [
        f"{binding.name}, {binding.mac}: function {function.name}, {where}, profile {binding.profile.name}",
        f"binding {binding.uuid}, generation {binding.generation}",
    ]


def tail_lines(path: Path) -> list[str]:
    """What the vEth asks, how a path is attached, the bridge's entries for it, what would drop a frame, for people."""
    asked = "; ".join(policy_parts(_policy(path)))
    entries = entry_lines(entry_rows(path.sight, path.binding))
    ways = [*_attachment_lines(path), *shape_lines(path.binding.uplink.shape)]
    return [*([f"policy: {asked}"] if asked else []), *ways, *entries, *_drop_lines(path)]


def _attachment_lines(path: Path) -> list[str]:
    """A line a way, with its hops where there are several ways."""
    ways: dict[Attached, list[str]] = {}
    for step, hop in enumerate(path.hops, start=1):
        if hop.attached:
            ways.setdefault(hop.attached, []).append(str(step))
    if len(ways) == 1:
        return [f"attachment: {way.chosen}; {way.why}" for way in ways]
    return [f"attachment at hop {', '.join(steps)}: {way.chosen}; {way.why}" for way, steps in ways.items()]


def _drop_lines(path: Path) -> list[str]:
    found = would_drop(path)
    if not found:
        return ["nothing on this path would drop what the profile allows"]
    lines = ["what would drop a frame:"]
    for row in found:
        counted = row["reason"] or "lost, not counted"
        lines.append(f"  hop {row['hop']}, {row['where']}: {row['message']} [{counted}]")
    return lines
