# SPDX-License-Identifier: Apache-2.0
"""A traced frame's way and its words, with the reference in place of the kernel; tests/netns has the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import pytest

from openfex.cli.app import run
from openfex.datapath.decision import Exported, Traced
from openfex.errors import InternalError
from openfex.lab import trace as tracing
from openfex.lab.payload import Wish
from openfex.lab.points import entry_of
from openfex.lab.probe import make_frame
from openfex.lab.trace import trace
from openfex.lab.view.bridge_steps import rate_text
from openfex.lab.view.sight import Row
from openfex.lab.view.tags import vlans_text
from openfex.lab.view.trace import shape_of, trace_lines, trace_view
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.policy import Policy, Priority, Rate, Trust
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind, port_channel, port_link
from openfex.plan.layout import lay_out
from openfex.rules.bridge import decide_bridge
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.decision import Decision, Verdict, drop
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import read_head
from openfex.rules.policy import read_frame
from openfex.rules.tables import BridgeTables, ExtenderTables, Station, Terms
from openfex.wire import VlanTag

DOCUMENTS = """
kind: network
name: two
spec:
  bridges:
    sw-1: {ports: {up0: {}, p0: {peer: true, profile: joint}}}
    sw-2: {ports: {p0: {peer: true, profile: joint}}}
  wires: [[sw-1/p0, sw-2/p0]]
---
kind: profile
name: joint
spec: {vlan: {trunk: {allowed: [10]}}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: host
name: h1
spec: {channel: vntag, uplinks: {a: {device: up-a, bridge: sw-1}}}
---
kind: host
name: h2
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw-2}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 2}
---
kind: adapter
name: n2
spec: {host: h2, model: bcm-8, functions: 2}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web, address: 10.0.10.1/24}}}
---
kind: machine
name: vm2
spec: {host: h2, nics: {eth0: {profile: web, address: 10.0.10.2/24}}}
"""
SECOND_NS = 10**9
NOW_NS = 100 * SECOND_NS


@dataclass
class FakeNode:
    """A node whose tables are in memory."""

    name: str
    role: str

    def close(self) -> None:
        """Nothing is open."""


class FakeTracer:
    """Decides as the reference does, or lies so many times."""

    lies = 0

    def __init__(self, tables: BridgeTables | ExtenderTables) -> None:
        self.tables = tables

    def __enter__(self) -> FakeTracer:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def decide(self, at: int, octets: bytes) -> Traced:
        decision = self._decision(at, octets)
        if FakeTracer.lies:
            FakeTracer.lies -= 1
            decision = drop(decision.port, DropReason.BPDU)
        return Traced(Exported(decision), Exported(decision), NOW_NS)

    def _decision(self, at: int, octets: bytes) -> Decision:
        link = port_link(at)
        frame = read_frame(octets, self.tables.links.get(link))
        if isinstance(self.tables, BridgeTables):
            return decide_bridge(frame, link, NOW_NS, self.tables)
        if port_channel(at):
            return decide_up(read_head(octets), at, self.tables)
        return decide_down(frame.head, link, self.tables)

    def judge_copy(self, octets: bytes, port: int, vlan: int) -> Traced:
        passed = Exported(Decision(Verdict.DROP, port))
        return Traced(passed, passed, NOW_NS)


Tables = dict[str, BridgeTables | ExtenderTables]


def the_layout() -> Layout:
    return lay_out(read_documents(DOCUMENTS))


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """By name space: to be changed by a test."""
    layout = the_layout()
    bridges = {one.name: compile_bridge(layout, one.name) for one in layout.bridges}
    found: Tables = {f"fex_two_bridge_{name}": one for name, one in bridges.items()}
    found |= {f"fex_two_host_{one.name}": compile_extender(layout, one, bridges) for one in layout.hosts}
    monkeypatch.setattr(tracing, "Node", FakeNode)
    monkeypatch.setattr(tracing, "open_tracer", lambda node: FakeTracer(found[node.name]))
    monkeypatch.setattr(tracing, "read_live", lambda node, tell: found[node.name])
    monkeypatch.setattr(tracing, "debts", lambda node, port, now_ns: (0, 0, 0, 0))
    monkeypatch.setattr("openfex.lab.lab.labs", lambda: ["two"])
    monkeypatch.setattr("openfex.lab.lab.layout_of", lambda name: layout)
    yield found
    FakeTracer.lies = 0


def ask(port: str, wish: Wish) -> Row:
    layout = the_layout()
    point = entry_of(layout, port)
    return trace_view(layout, {}, trace(layout, point, make_frame(layout, point, wish)))


def steps(view: Row, hop: int) -> dict[str, str]:
    row = cast("list[dict[str, list[dict[str, str]]]]", view["hops"])[hop - 1]
    return {one["step"]: one["says"] for one in row["steps"]}


def test_a_frame_is_followed_over_peers_to_its_end(tables: Tables) -> None:
    view = ask("vm1/eth0", Wish("vm2/eth0"))
    assert view["delivered"] == ["the network behind sw-1/up0", "vm2/eth0"]
    ports = [row["port"] for row in cast("list[Row]", view["hops"])]
    assert ports == ["n1/0", "sw-1/uplink16", "sw-2/p0", "h2/up-a"]


def test_a_station_at_a_peer_is_reached_by_it(tables: Tables) -> None:
    layout = the_layout()
    bridge = cast("BridgeTables", tables["fex_two_bridge_sw-1"])
    peer = layout.bridge("sw-1").ports[1].number
    vm2 = next(one.mac for one in layout.bindings if one.name == "vm2/eth0")
    bridge.stations[vm2, 10] = Station(peer, NOW_NS - 3 * SECOND_NS)
    view = ask("vm1/eth0", Wish("vm2/eth0"))
    assert view["delivered"] == ["vm2/eth0"]
    assert steps(view, 2)["lookup"] == (
        f"{vm2} in VLAN 10 is behind sw-1/p0, heard 3.0 s ago; it leaves by sw-1/p0, tagged 10"
    )
    assert steps(view, 3)["learning"].endswith("in VLAN 10 would be learnt at sw-2/p0")


def test_tags_and_marks_of_a_profile_are_told(tables: Tables) -> None:
    layout = the_layout()
    joint, web = (next(one.number for one in layout.profiles if one.name == name) for name in ("joint", "web"))
    for name in ("sw-1", "sw-2"):
        bridge = cast("BridgeTables", tables[f"fex_two_bridge_{name}"])
        policy = Policy(priority=Priority(Trust.NONE, 5, 46))
        bridge.profiles[joint] = replace(bridge.profiles[joint], service=100)
        bridge.profiles[web] = replace(bridge.profiles[web], policy=policy)
    first = cast("BridgeTables", tables["fex_two_bridge_sw-1"])
    vm2 = next(one.mac for one in layout.bindings if one.name == "vm2/eth0")
    first.stations[vm2, 10] = Station(layout.bridge("sw-1").ports[1].number, NOW_NS)
    view = ask("vm1/eth0", Wish("vm2/eth0"))
    assert view["delivered"] == ["vm2/eth0"]
    assert steps(view, 2)["priority"] == "PCP 5; the port trusts none, and writes DSCP 46"
    assert steps(view, 2)["lookup"].endswith("it leaves by sw-1/p0, tagged 10 inside service tag 100")
    assert "service" not in steps(view, 2)
    assert steps(view, 3)["service"] == "tag 100 comes off"
    assert steps(view, 3)["VLAN"].startswith("tagged 10; ")
    assert steps(view, 3)["priority"] == "PCP 5; the port trusts pcp"


def test_what_comes_without_the_service_tag_of_its_port_is_told(tables: Tables) -> None:
    layout = the_layout()
    port = layout.bridge("sw-1").ports[1]
    bridge = cast("BridgeTables", tables["fex_two_bridge_sw-1"])
    bridge.profiles[port.profile.number] = replace(bridge.profiles[port.profile.number], service=100)
    view = ask("sw-1/p0", Wish("vm1/eth0", vlan="10"))
    assert steps(view, 1)["service"] == "the port takes only what comes inside tag 100"
    (row,) = cast("list[Row]", view["dropped"])
    assert row["dropped"] == "vlan-not-allowed"


def test_what_a_veth_is_sent_comes_in_its_channel(tables: Tables) -> None:
    view = ask("sw-1/veth1.1", Wish("vm2/eth0"))
    assert steps(view, 1)["channel"] == "vntag channel 1 on sw-1/uplink16 is sw-1/veth1.1 (vm1/eth0)"


def test_a_function_that_is_down_drops_at_its_first_step(tables: Tables) -> None:
    view = ask("n1/1", Wish("vm2/eth0"))
    assert steps(view, 1) == {"function": "n1/1 is down"}
    (row,) = cast("list[Row]", view["dropped"])
    assert (row["at"], row["dropped"]) == ("n1/1", "port-down")


def test_engines_that_differ_once_are_asked_again(tables: Tables) -> None:
    FakeTracer.lies = 2
    assert ask("vm1/eth0", Wish("vm2/eth0"))["delivered"]


def test_engines_that_go_on_differing_are_an_error_of_ours(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    FakeTracer.lies = 100
    with pytest.raises(InternalError) as caught:
        ask("vm1/eth0", Wish("vm2/eth0"))
    assert caught.value.code == "engines-differ"
    assert run(["trace-frame", "vm1/eth0"]) == 1
    assert "[engines-differ]" in capsys.readouterr().err


def test_a_profile_that_nobody_knows_is_told_and_not_explained(tables: Tables) -> None:
    bridge = cast("BridgeTables", tables["fex_two_bridge_sw-1"])
    for number in bridge.profiles:
        bridge.profiles[number] = replace(bridge.profiles[number], digest=7)
    hops = cast("list[Row]", ask("vm1/eth0", Wish("vm2/eth0"))["hops"])
    assert [bool(row["note"]) for row in hops] == [False, True, False, False]


def test_lines_for_people_say_the_same(tables: Tables) -> None:
    lines = list(trace_lines(ask("n1/1", Wish("vm2/eth0"))))
    assert lines == [
        "",
        "1  n1/1 on h1, extender_up",
        "   function  n1/1 is down",
        "   dropped   at n1/1: port-down (the port is down or has no profile: no profile, no traffic)",
        "",
        "dropped at n1/1: port-down",
    ]


@contextmanager
def misused(capsys: pytest.CaptureFixture[str], why: str) -> Iterator[None]:
    capsys.readouterr()
    yield
    said = capsys.readouterr().err
    assert why in said
    assert said.endswith("[usage]\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("vm2/eth0 --to vm1/eth0", "both where it goes"),
        ("vm2/eth0 tcp 80 90", "more than a protocol and a port"),
        ("vm2/eth0 --hex ff", "goes with no other word"),
        ("", "PORT"),
    ],
)
def test_wrong_use(words: str, why: str, tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    with misused(capsys, why):
        assert run(["trace-frame", *(["vm1/eth0"] if words else []), *words.split()]) == 2


def test_octets_that_are_none(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace-frame", "vm1/eth0", "--hex", "abc"]) == 1
    assert "[bad-hex]" in capsys.readouterr().err


def test_octets_may_be_written_in_any_way(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    octets = "ff:ff:ff:ff:ff:ff 52-54-01-00-00-01 0x0806"
    assert run(["trace-frame", "n1/1", "--hex", octets]) == 0
    assert capsys.readouterr().out.startswith("frame: 52:54:01:00:00:01 > ff:ff:ff:ff:ff:ff, arp, 14 octets\n")


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (Terms(10), "access VLAN 10"),
        (Terms(), "in no VLAN"),
        (Terms(10, frozenset({1, 10, 20, 21, 22})), "trunk of 1,10,20-22, native 10"),
        (Terms(0, frozenset({20})), "trunk of 20, no native VLAN"),
        (Terms(0, frozenset()), "trunk of nothing, no native VLAN"),
    ],
)
def test_vlans_in_words(terms: Terms, said: str) -> None:
    assert vlans_text(terms) == said


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (Rate(10**9, 125_000), "1Gbit: owes 2.0 ms, may owe 1.0 ms"),
        (Rate(0, 0, 1000, 5), "1000 frames/s: owes 3.0 ms, may owe 5.0 ms"),
        (Rate(10**6, 1500, 10, 2), "1Mbit: owes 2.0 ms, may owe 12.0 ms; 10 frames/s: owes 3.0 ms, may owe 200.0 ms"),
    ],
)
def test_rates_in_words(rate: Rate, said: str) -> None:
    assert rate_text(rate, (2_000_000, 3_000_000)) == said


def test_shapes_in_words() -> None:
    macs, rest = bytes(12), b"\x08\0" + bytes(46)
    assert shape_of(macs + rest) == "untagged"
    assert shape_of(macs + VlanTag(20).encode() + rest) == "VLAN tag 20"
    assert shape_of(macs + VlanTag(20).encode() + rest, ChannelKind.SCHANNEL_Q) == "schannel-q channel 20, untagged"
