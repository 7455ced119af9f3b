# SPDX-License-Identifier: Apache-2.0
"""A traced frame as rows and lines: hop by hop, each step in words, and what becomes of every copy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openfex.lab.trace import Hop, Way
from openfex.lab.view import bridge_steps, extender_steps
from openfex.lab.view.bridge_steps import BridgeScene, rule_text
from openfex.lab.view.extender_steps import ExtenderScene
from openfex.lab.view.sight import Row
from openfex.lab.view.tags import tag_text
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind, port_channel, port_link
from openfex.rules.decision import Verdict
from openfex.rules.engine import Drop
from openfex.rules.policy import read_frame
from openfex.rules.tables import BridgeTables

Scene = BridgeScene | ExtenderScene


def _scene(layout: Layout, hop: Hop) -> Scene:
    if isinstance(hop.tables, BridgeTables):
        return BridgeScene(layout, hop, hop.tables)
    return ExtenderScene(layout, hop, hop.tables)


def trace_view(layout: Layout, frame: Row, hops: Sequence[Hop]) -> Row:
    """All of a trace: the frame, its hops, who gets it, and where it is dropped."""
    rows = [hop_row(layout, hop) for hop in hops]
    ways = [way for row in rows for way in _list(row["ways"])]
    dropped = [_drop(row) for row in (*rows, *ways) if row["dropped"]]
    delivered = [way["delivered"] for way in ways if way["delivered"]]
    return {"frame": frame, "hops": rows, "delivered": delivered, "dropped": dropped}


def _list(value: object) -> list[Row]:
    return value if isinstance(value, list) else []


def _drop(row: Row) -> Row:
    return {key: row[key] for key in ("at", "dropped", "meaning", "rule")}


def hop_row(layout: Layout, hop: Hop) -> Row:
    """One hop as plain values."""
    scene, decision = _scene(layout, hop), hop.decision
    reason = decision.reason if decision.verdict is Verdict.DROP else None
    steps = bridge_steps.steps_of(scene) if isinstance(scene, BridgeScene) else extender_steps.steps_of(scene)
    return {
        "hop": hop.number,
        "from": hop.came_from or None,
        "node": hop.point.node,
        "program": program_of(hop),
        "port": hop.point.name,
        "octets": hop.octets.hex(),
        "steps": [{"step": name, "says": said} for name, said in steps],
        "verdict": decision.verdict.name.lower(),
        "number": decision.port,
        "vlan": decision.vlan or None,
        "rules": [_rule_row(scene, hop, at) for at in range(len(hop.hits))],
        "at": scene.name(decision.at) if reason else None,
        "dropped": reason.word if reason else None,
        "meaning": reason.meaning if reason else None,
        "rule": _deciding(scene, hop) if reason else None,
        "ways": [_way_row(scene, way) for way in hop.ways],
        "note": "" if hop.is_known else "a profile is not that of the documents: its rules have numbers and no words",
    }


def program_of(hop: Hop) -> str:
    """The program that it would meet there."""
    if hop.point.kind == "bridge":
        return "bridge_in"
    return "extender_up" if port_channel(hop.point.number) else "extender_down"


def _rule_row(scene: Scene, hop: Hop, at: int) -> Row:
    hit = hop.hits[at]
    says = rule_text(scene, hit) if isinstance(scene, BridgeScene) else ""
    return {"direction": hit.direction.name.lower(), "rule": hit.rule + 1, "says": says}


def _deciding(scene: Scene, hop: Hop) -> str | None:
    """The rule that dropped it, if one did."""
    if isinstance(scene, BridgeScene) and hop.hits and hop.decision.reason.word.startswith("acl-"):
        return rule_text(scene, hop.hits[-1])
    return None


def _way_row(scene: Scene, way: Way) -> Row:
    dropped = way.copy.reason if isinstance(way.copy, Drop) else None
    rule = rule_text(scene, way.hit) if way.hit and isinstance(scene, BridgeScene) else None
    ends = not dropped and not way.hop
    return {
        "at": scene.name(way.copy.port),
        "shape": None if isinstance(way.copy, Drop) else shape_of(way.copy.octets, _kind_at(scene, way.copy.port)),
        "hop": way.hop or None,
        "delivered": _receiver(scene, way.copy.port) if ends else None,
        "dropped": dropped.word if dropped else None,
        "meaning": dropped.meaning if dropped else None,
        "rule": rule,
    }


def _receiver(scene: Scene, port: int) -> str:
    """Who gets what leaves the lab's wires by a port."""
    if isinstance(scene, ExtenderScene):
        return scene.nic(port) or scene.name(port)
    return f"the network behind {scene.name(port)}"


def _kind_at(scene: Scene, port: int) -> ChannelKind | None:
    """The kind of channel that what leaves by a port is in."""
    is_function = isinstance(scene, ExtenderScene) and port_channel(port)
    return None if is_function else scene.tables.links.get(port_link(port))


def shape_of(octets: bytes, kind: ChannelKind | None = None) -> str:
    """With which tags a frame leaves by a link of that kind."""
    head = read_frame(octets, kind).head
    vlan = f"VLAN tag {head.tci & 0xFFF}" if head.tpid else "untagged"
    return vlan if head.kind is None else f"{tag_text(head)}, {vlan}"


def trace_lines(view: Row) -> Iterator[str]:
    """The same for people."""
    for row in _list(view["hops"]):
        source = f", from hop {row['from']}" if row["from"] else ""
        yield ""
        yield f"{row['hop']}  {row['port']} on {row['node']}, {row['program']}{source}"
        yield from _step_lines(row)
        yield from (f"   {'->':<9} {_way_line(way)}" for way in _list(row["ways"]))
        if row["dropped"]:
            yield f"   {'dropped':<9} at {row['at']}: {row['dropped']} ({row['meaning']})"
        if row["note"]:
            yield f"   {'note':<9} {row['note']}"
    yield ""
    yield from _end_lines(view)


def _step_lines(row: Row) -> Iterator[str]:
    for step in _list(row["steps"]):
        yield f"   {step['step']:<9} {step['says']}"


def _way_line(way: Row) -> str:
    rule = f"; {way['rule']}" if way["rule"] else ""
    if way["dropped"]:
        return f"{way['at']}: dropped, {way['dropped']} ({way['meaning']}){rule}"
    to = f"hop {way['hop']}" if way["hop"] else f"delivered to {way['delivered']}"
    return f"{way['at']}, {way['shape']}: {to}{rule}"


def _end_lines(view: Row) -> Iterator[str]:
    delivered, dropped = view["delivered"], _list(view["dropped"])
    if isinstance(delivered, list) and delivered:
        yield f"delivered to {', '.join(delivered)}"
    for row in dropped:
        yield f"dropped at {row['at']}: {row['dropped']}"
