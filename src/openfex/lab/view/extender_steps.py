# SPDX-License-Identifier: Apache-2.0
"""A port extender's decision in words, step by step. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from openfex.lab.trace import Hop
from openfex.lab.view.sight import host_port_name
from openfex.lab.view.tags import CONTROL_STEP, tag_text, vlan_text
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind, port_channel, port_link, port_number
from openfex.model.wording import many
from openfex.rules.decision import Decision, Verdict
from openfex.rules.head import Head
from openfex.rules.policy import read_frame
from openfex.rules.tables import ExtenderTables, Members

Steps = list[tuple[str, str]]
_FUNCTION = {DropReason.UNKNOWN_CHANNEL, DropReason.PORT_DOWN, DropReason.SOURCE_PRUNED}
_BY_VEPA = {DropReason.SPOOFED_SOURCE, DropReason.VLAN_NOT_ALLOWED}
"""What the bridge looks at on other kinds."""


@dataclass(frozen=True)
class ExtenderScene:
    """A hop at a host, and who is who there."""

    layout: Layout
    hop: Hop
    tables: ExtenderTables

    @property
    def decision(self) -> Decision:
        """What the kernel has decided."""
        return self.hop.decision

    @cached_property
    def head(self) -> Head:
        """That of what came."""
        number = self.hop.point.number
        kind = None if port_channel(number) else self.tables.links.get(port_link(number))
        return read_frame(self.hop.octets, kind).head

    def name(self, number: int) -> str:
        """A port, and the NIC whose it is: `h1-nic0/1 (client/eth0)`."""
        nic = self.nic(number)
        return host_port_name(self.layout.host(self.hop.point.node), number) + (f" ({nic})" if nic else "")

    def nic(self, number: int) -> str:
        """The NIC that a function is."""
        here = self.layout.bindings_on(self.hop.point.node)
        return next((one.name for one in here if one.host_port == number), "")


def steps_of(scene: ExtenderScene) -> Steps:
    """Each step up to the one that dropped the frame: its name, and what was found."""
    return _up(scene) if port_channel(scene.hop.point.number) else _down(scene)


def _state(scene: ExtenderScene, number: int) -> str:
    function = scene.tables.functions.get(number)
    return f"{scene.name(number)} is {'not carved' if function is None else 'up' if function.up else 'down'}"


def _up(scene: ExtenderScene) -> Steps:
    number, head = scene.hop.point.number, scene.head
    steps = [("function", _state(scene, number))]
    if scene.decision.reason in _FUNCTION:
        return steps
    if scene.decision.verdict is Verdict.DROP and scene.decision.reason not in _BY_VEPA:
        if not head.whole:
            return [*steps, ("head", f"{many(len(scene.hop.octets), 'octet')}: the frame ends inside its head")]
        tags = f"{tag_text(head)}, {many(head.vlan_tags, 'VLAN tag')}, then 0x{head.type:04x}"
        return [*steps, ("head", f"to {head.dst}; {tags}")]
    steps.append(("head", "no forged tag, no spanning tree, no address that no bridge forwards"))
    if scene.tables.functions[number].vepa:
        return [*steps, *_up_by_mac(scene)]
    kind = scene.tables.links.get(port_link(number))
    channel = f"in {kind.value} channel {port_channel(number)}" if kind else "which is not in the tables"
    return [*steps, ("way", f"always up {scene.name(port_number(port_link(number)))}, {channel}")]


def _up_by_mac(scene: ExtenderScene) -> Steps:
    """On a VEPA uplink: whose the source is, and in which VLAN it goes."""
    number, head, reason = scene.hop.point.number, scene.head, scene.decision.reason
    own = "none of" if reason is DropReason.SPOOFED_SOURCE else "one of"
    steps = [("source", f"{head.src} is {own} the function's addresses")]
    if reason is DropReason.SPOOFED_SOURCE:
        return steps
    function = scene.tables.functions[number]
    what = "a trunk" if function.trunk else "an access port"
    untagged = f"what it sends untagged is in VLAN {function.vlan}" if function.vlan else "it sends nothing untagged"
    steps.append(("VLAN", f"{vlan_text(head)}; the function is {what}, {untagged}"))
    if reason is DropReason.VLAN_NOT_ALLOWED:
        return steps
    up = scene.name(port_number(port_link(number)))
    return [*steps, ("way", f"always up {up}, with the tag of VLAN {scene.decision.vlan}")]


def _down_by_mac(scene: ExtenderScene) -> Steps:
    """From a VEPA uplink: whose the destination is, or who is in the VLAN."""
    link, head, reason = port_link(scene.hop.point.number), scene.head, scene.decision.reason
    steps = [("channel", f"{vlan_text(head)}; {scene.name(port_number(link))} carries {ChannelKind.VEPA.value}")]
    if reason in {DropReason.NOT_IN_CHANNEL, DropReason.TRUNCATED}:
        return steps
    port = scene.tables.owners.get((link, head.dst))
    if port is None:
        return [*steps, ("list", _members(scene, scene.tables.lists.get((link, head.tag_vid))))]
    steps.append(("function", f"{head.dst}: {_state(scene, port)}"))
    if reason is DropReason.VLAN_MISMATCH:
        steps.append(("VLAN", f"VLAN {head.tag_vid} is none of the function's"))
    return steps


def _down(scene: ExtenderScene) -> Steps:
    link, d = port_link(scene.hop.point.number), scene.decision
    kind = scene.tables.links.get(link)
    carries = f"{scene.name(port_number(link))} carries {kind.value if kind else 'nothing'}"
    if d.verdict is Verdict.CONTROL:
        return [CONTROL_STEP]
    if kind is ChannelKind.VEPA:
        return _down_by_mac(scene)
    steps = [("channel", f"{tag_text(scene.head)}; {carries}")]
    if scene.head.list and (d.verdict is not Verdict.DROP or d.reason is DropReason.UNKNOWN_LIST):
        members = scene.tables.lists.get((link, scene.head.target))
        return [*steps, ("list", _members(scene, members))]
    if d.verdict is not Verdict.DROP or d.reason in _FUNCTION:
        steps.append(("function", _state(scene, port_number(link, scene.head.target))))
    return steps


def _members(scene: ExtenderScene, members: Members | None) -> str:
    if members is None:
        return "this host was never given it"
    source = scene.decision.source
    pruned = f", and not back to channel {source}" if source else ""
    return f"{many(len(members), 'member')}{pruned}"
