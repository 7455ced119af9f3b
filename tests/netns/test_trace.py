# SPDX-License-Identifier: Apache-2.0
"""`fex trace-frame` on a lab with policy: it says what a real frame then meets, tells all drops, changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openfex.cli.app import run
from openfex.datapath.abi import LINK, MEMORY, U32
from openfex.datapath.node import MAPS, SIZED, Node
from openfex.datapath.tables import read_drops
from openfex.lab import staffing
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux.libbpf import MapType
from openfex.linux.packet import PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.place import Place
from openfex.proof.kernel_bed import nic_place, port_place
from openfex.wire import ETag, VlanTag, VnTag
from tests.netns.labs import running

pytestmark = [pytest.mark.root, pytest.mark.slow]
EXAMPLE = (Path(__file__).parents[2] / "examples" / "policy.yaml").read_text()
MORE = """
---
kind: profile
name: lonely
spec: {vlan: {access: 30}}
---
kind: host
name: h2
spec: {channel: vntag, uplinks: {a: {device: up-a, bridge: sw-a}}}
---
kind: adapter
name: h2-nic0
spec: {host: h2, model: vic-1280, functions: 2}
---
kind: machine
name: alone
spec: {host: h2, nics: {eth0: {profile: lonely, address: 10.0.30.1/24}}}
"""
STATION, OTHER = "02:00:00:00:77:01", "02:00:00:00:77:02"
DEADLINE_S = 5.0
UNREADABLE = {"rings"}
Said = pytest.CaptureFixture[str]
Answer = dict[str, Any]


@dataclass
class Town:
    """The lab, its nodes, and sockets at its edges."""

    layout: Layout
    workshop: Workshop
    stack: ExitStack

    def nodes(self) -> list[Node]:
        names = [netns_of(self.layout.lab, "host", one.name) for one in self.layout.hosts]
        names += [netns_of(self.layout.lab, "bridge", one.name) for one in self.layout.bridges]
        return [self.workshop.node(name) for name in names]

    @property
    def bridge(self) -> Node:
        return self.workshop.node(netns_of(self.layout.lab, "bridge", "sw-a"))

    def node_of(self, name: str) -> Node:
        kind = "bridge" if name == "sw-a" else "host"
        return self.workshop.node(netns_of(self.layout.lab, kind, name))

    def mac(self, nic: str) -> str:
        return next(str(one.mac) for one in self.layout.bindings if one.name == nic)

    def veth(self, nic: str) -> int:
        return next(one.bridge_port for one in self.layout.bindings if one.name == nic)

    def place(self, port: str) -> Place:
        """Where somebody sends who sends into a port: in the machine, or outside."""
        for binding in self.layout.bindings:
            if binding.name == port:
                return nic_place(self.layout, binding)
        found = next(one for one in self.layout.bridges[0].ports if f"sw-a/{one.name}" == port)
        return port_place(self.layout, found)

    def send(self, port: str, octets: bytes) -> None:
        place = self.place(port)
        with PacketSocket(place.device, netns=place.netns) as socket:
            socket.send(octets)

    def contents(self) -> dict[str, object]:
        """All that is kept of frames, everywhere: what maps hold, and what devices have counted."""
        found: dict[str, object] = {}
        for node in self.nodes():
            for name in {*MAPS[node.role], *SIZED[node.role]} - UNREADABLE:
                one = node.map(name)
                arrays = (MapType.ARRAY, MapType.PERCPU_ARRAY)
                found[f"{node.name}:{name}"] = list(one.used()) if one.type in arrays else sorted(one.items())
            netlink = self.workshop.spaces.netlink(node.name)
            for link in netlink.links():
                found[f"{node.name}:{link.name}"] = netlink.statistics(link.name)
        return found


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    text = EXAMPLE.replace("name: docs-policy", "name: test-trace").replace("functions: 4", "functions: 5")
    text = text.replace("up1: {profile: provider}", "up1: {profile: wan}") + MORE
    with running(text) as layout, Workshop(layout.lab) as workshop, ExitStack() as stack:
        staffing.stop(layout.lab)  # agents and IPv6 speak when nobody asked them
        for machine in layout.machines:
            sysctl(netns_of(layout.lab, "machine", machine.name), "net.ipv6.conf.all.disable_ipv6", "1")
        yield Town(layout, workshop, stack)


def ask(said: Said, *words: str) -> Answer:
    """What `fex trace-frame … --json` answers."""
    said.readouterr()
    assert run(["trace-frame", *words, "--lab", "test-trace", "--json"]) == 0
    answer: Answer = json.loads(said.readouterr().out)
    return answer


def spell(*parts: str | bytes) -> str:
    """A frame in hexadecimal digits, of MACs and octets."""
    return "".join(part.replace(":", "") if isinstance(part, str) else part.hex() for part in parts)


def told(answer: Answer) -> list[tuple[str, str]]:
    return [(one["at"].split(" ")[0], one["dropped"]) for one in answer["dropped"]]


def count(node: Node, number: int, reason: DropReason) -> int:
    return read_drops(node)[number, reason]


def comes_to(node: Node, number: int, reason: DropReason, frames: int) -> bool:
    end = time.monotonic() + DEADLINE_S
    while count(node, number, reason) < frames:
        if time.monotonic() > end:
            return False
    return count(node, number, reason) == frames


BROADCAST = "ff:ff:ff:ff:ff:ff"
REST = bytes(46)
CUT_TCP = bytes.fromhex("4500002800000000400600000a000a010a000a5012")
"""From 10.0.10.1 to 10.0.10.80, and one octet of a TCP header."""
MACHINES: dict[str, list[str]] = {
    "bpdu": ["client/eth0", "01:80:c2:00:00:00"],
    "link-local": ["client/eth0", "01:80:c2:00:00:0e", "0x88cc"],
    "spoofed-source": ["client/eth0", "web/eth0", "--from-mac", "02:00:00:00:00:99"],
    "vlan-not-allowed": ["client/eth0", "web/eth0", "--vlan", "99"],
    "vlan-mismatch": ["phone/eth0", "client/eth0", "udp", "5060", "--vlan", "20"],
    "spoofed-address": ["client/eth0", "web/eth0", "--from", "10.0.10.99"],
    "acl-in": ["client/eth0", "web/eth0", "tcp", "445"],
    "acl-out": ["client/eth0", "web/eth0", "udp", "53"],
    "same-port": ["nested/eth0", "nested/eth0"],
    "no-receiver": ["alone/eth0"],
}
"""By reason: what a machine does."""


@pytest.mark.parametrize("reason", MACHINES)
def test_a_real_frame_is_dropped_where_and_why_it_was_said(town: Town, capsys: Said, reason: str) -> None:
    words = MACHINES[reason]
    answer = ask(capsys, *words)
    (drop,) = answer["dropped"]
    expected = next(one for one in DropReason if one.word == reason)
    assert (drop["dropped"], drop["meaning"]) == (reason, expected.meaning)
    hop = answer["hops"][-1]
    assert hop["steps"], hop
    node = town.node_of(hop["node"])
    number = town.veth("web/eth0") if reason == "acl-out" else hop["number"]
    before = count(node, number, expected)
    town.send(words[0], bytes.fromhex(answer["frame"]["octets"]))
    assert comes_to(node, number, expected, before + 1)


def test_the_rule_that_is_named_is_the_one_that_then_counts(town: Town, capsys: Said) -> None:
    answer = ask(capsys, "client/eth0", "web/eth0", "tcp", "445")
    assert [(one["direction"], one["rule"]) for one in answer["hops"][1]["rules"]] == [("in", 1)]
    assert "rule 1 of 5 of profile client" in answer["hops"][1]["steps"][-1]["says"]
    answer = ask(capsys, "client/eth0", "web/eth0", "tcp", "443")
    assert [(one["direction"], one["rule"]) for one in answer["hops"][1]["rules"]] == [("in", 5), ("out", 1)]
    assert answer["delivered"] == ["web/eth0"]


def test_a_real_frame_reaches_whom_it_was_said_to_reach(town: Town, capsys: Said) -> None:
    answer = ask(capsys, "client/eth0")
    everybody = {"web/eth0", "phone/eth0", "nested/eth0", "the network behind sw-a/up0", "the network behind sw-a/up1"}
    pin = next(one.pin.name for one in town.layout.bindings if one.name == "client/eth0" and one.pin)
    said = set(answer["delivered"])
    assert said == everybody - {f"the network behind sw-a/{'up1' if pin == 'up0' else 'up0'}"}
    octets = bytes.fromhex(answer["frame"]["octets"])[:-4] + b"mark"
    with ExitStack() as stack:
        ears = {
            name: stack.enter_context(PacketSocket(place.device, netns=place.netns, promiscuous=True))
            for name in ("web/eth0", "phone/eth0", "nested/eth0", "sw-a/up0", "sw-a/up1")
            for place in [town.place(name)]
        }
        for ear in ears.values():
            ear.drain()
        town.send("client/eth0", octets)
        heard, end = set[str](), time.monotonic() + DEADLINE_S
        while len(heard) < len(said) and time.monotonic() < end:
            heard |= {name for name, ear in ears.items() if any(one.endswith(b"mark") for one in ear.drain())}
    assert {name if "eth0" in name else f"the network behind {name}" for name in heard} == said


def wires(town: Town) -> dict[str, tuple[list[str], str]]:
    """By reason: a frame that no machine can send, and the port where it is dropped."""
    client, web, alone = town.mac("client/eth0"), town.mac("web/eth0"), town.mac("alone/eth0")
    tag = ETag(2).encode()
    return {
        "truncated": (["client/eth0", "--hex", spell(BROADCAST, client, b"\x81\0")], "h1-nic0/1"),
        "too-many-tags": (
            ["client/eth0", "--hex", spell(BROADCAST, client, VlanTag(1).encode() * 3, REST)],
            "h1-nic0/1",
        ),
        "forged-tag": (["client/eth0", "--hex", spell(BROADCAST, client, tag, REST)], "h1-nic0/1"),
        "not-in-channel": (["sw-a/uplink16", "--hex", spell(BROADCAST, client, b"\x12\x34", REST)], "sw-a/uplink16"),
        "unknown-channel": (
            ["sw-a/uplink16", "--hex", spell(BROADCAST, client, ETag(77).encode(), b"\x12\x34", REST)],
            "sw-a/uplink16",
        ),
        "bad-tag": (
            ["sw-a/uplink16", "--hex", spell(BROADCAST, client, ETag(2, grp=1).encode(), b"\x12\x34", REST)],
            "sw-a/uplink16",
        ),
        "wrong-direction": (
            ["sw-a/uplink17", "--hex", spell(BROADCAST, alone, VnTag(direction=1, svif=1).encode(), b"\x12\x34", REST)],
            "sw-a/uplink17",
        ),
        "port-down": (["h1-nic0/4", "web/eth0", "--from-mac", STATION], "h1-nic0/4"),
        "bad-source": (["sw-a/up0", "web/eth0", "--from-mac", "01:00:00:00:00:01"], "sw-a/up0"),
        "own-source": (["sw-a/up0", "web/eth0", "--from-mac", client], "sw-a/up0"),
        "unknown-list": (
            ["h1/up-a", "--hex", spell(BROADCAST, client, ETag(0xFFE, grp=3).encode(), b"\x12\x34", REST)],
            "h1/up-a",
        ),
        "source-pruned": (
            [
                *("h2/up-a", "--hex"),
                spell(alone, alone, VnTag(direction=1, dvif=1, looped=1, svif=1).encode(), b"\x12\x34", REST),
            ],
            "h2/up-a",
        ),
        "unreadable-header": (["client/eth0", "--hex", spell(web, client, b"\x08\0", CUT_TCP)], "sw-a/veth1.2"),
    }


REASONS_ON_WIRES = (
    *("truncated", "too-many-tags", "forged-tag", "not-in-channel", "unknown-channel", "bad-tag", "wrong-direction"),
    *("port-down", "bad-source", "own-source", "unknown-list", "source-pruned", "unreadable-header"),
)


@pytest.mark.parametrize("reason", REASONS_ON_WIRES)
def test_what_no_machine_sends_is_told_too(town: Town, capsys: Said, reason: str) -> None:
    words, port = wires(town)[reason]
    answer = ask(capsys, *words)
    assert told(answer) == [(port, reason)]
    assert answer["dropped"][0]["meaning"] == next(one.meaning for one in DropReason if one.word == reason)
    assert answer["delivered"] == []


def test_what_the_network_sends_is_told_by_what_was_learnt(town: Town, capsys: Said) -> None:
    pin = next(one.pin.name for one in town.layout.bindings if one.name == "client/eth0" and one.pin)
    here, there = f"sw-a/{pin}", f"sw-a/{'up1' if pin == 'up0' else 'up0'}"
    assert told(ask(capsys, there, "client/eth0")) == [(there, "not-pinned")]
    before = town.bridge.map("stations")
    assert list(before.keys()) == []
    town.send(here, bytes.fromhex(ask(capsys, here, "client/eth0", "--from-mac", STATION)["frame"]["octets"]))
    end = time.monotonic() + DEADLINE_S
    while not list(before.keys()) and time.monotonic() < end:
        pass
    assert told(ask(capsys, there, STATION, "--from-mac", OTHER)) == [(there, "network-to-network")]
    assert told(ask(capsys, here, STATION, "--from-mac", OTHER)) == [(here, "same-port")]
    assert told(ask(capsys, here, OTHER, "--from-mac", OTHER)) == [(here, "same-port")]  # as it would just be learnt
    assert len(list(before.keys())) == 1
    assert ask(capsys, "client/eth0", STATION)["delivered"] == [f"the network behind {here}"]


def test_a_source_that_would_be_learnt_and_one_too_many(town: Town, capsys: Said) -> None:
    words = ["phone/eth0", "web/eth0", "arp", "--from-mac"]
    answer = ask(capsys, *words, STATION[:-1] + "3")
    assert {"step": "source", "says": f"{STATION[:-1]}3 would be learnt, 1 of 1"} in answer["hops"][1]["steps"]
    town.send("phone/eth0", bytes.fromhex(answer["frame"]["octets"]))
    end = time.monotonic() + DEADLINE_S
    while told(ask(capsys, *words, STATION[:-1] + "4")) != [("sw-a/veth1.3", "too-many-macs")]:
        assert time.monotonic() < end


@contextmanager
def row(node: Node, name: str, number: int, value: bytes) -> Iterator[None]:
    """A row that nobody would write, for a moment."""
    one, key = node.map(name), U32.pack(number)
    before = one.get(key)
    assert before is not None
    one.put(key, value)
    try:
        yield
    finally:
        one.put(key, before)


def test_what_a_port_owes_is_told(town: Town, capsys: Said) -> None:
    due = time.monotonic_ns() + 10**12
    client, web = town.veth("client/eth0"), town.veth("web/eth0")
    with row(town.bridge, "memories", client, MEMORY.pack(due, 0, 0, 0, 0)):
        answer = ask(capsys, "client/eth0", "web/eth0", "tcp", "80")
    assert told(answer) == [("sw-a/veth1.2", "rate-in")]
    assert answer["hops"][1]["steps"][-1]["says"].startswith("100Mbit: owes 9")
    with row(town.bridge, "memories", client, MEMORY.pack(due, 0, 0, 0, 0)):
        answer = ask(capsys, "client/eth0")
    assert told(answer) == [("sw-a/veth1.2", "rate-in")]
    assert [one["says"] for one in answer["hops"][1]["steps"]][-2] == f"{BROADCAST} is a group: to all of VLAN 10"
    with row(town.bridge, "memories", web, MEMORY.pack(0, due, 0, 0, 0)):
        assert told(ask(capsys, "client/eth0", "web/eth0", "tcp", "80")) == [("sw-a/veth1.1", "rate-out")]
        copies = ask(capsys, "client/eth0")
    assert told(copies) == [("sw-a/veth1.1", "rate-out")]
    assert "web/eth0" not in copies["delivered"]


def test_a_way_out_that_is_not_in_the_tables_is_told(town: Town, capsys: Said) -> None:
    host = town.node_of("h1")
    with row(host, "links", 1, bytes(LINK.size)):
        assert told(ask(capsys, "client/eth0", "web/eth0")) == [("h1-nic0/1", "not-sent")]


def test_every_reason_is_provoked_here() -> None:
    others = {"not-pinned", "network-to-network", "same-port", "too-many-macs", "rate-in", "rate-out", "not-sent"}
    assert {*MACHINES, *REASONS_ON_WIRES, *others} == {one.word for one in DropReason if one}


def test_tracing_changes_no_octet_of_any_map_and_sends_nothing(town: Town, capsys: Said) -> None:
    before = town.contents()
    for words in (*MACHINES.values(), *(one for one, _ in wires(town).values())):
        ask(capsys, *words)
    for words in (["client/eth0"], ["sw-a/up1", "--from-mac", OTHER], ["phone/eth0", "--from-mac", OTHER]):
        ask(capsys, *words)
    after = town.contents()
    assert [name for name, octets in before.items() if after[name] != octets] == []
    assert after.keys() == before.keys()


def test_the_comparison_sees_one_real_frame(town: Town, capsys: Said) -> None:
    octets = bytes.fromhex(ask(capsys, "client/eth0", "web/eth0", "tcp", "80")["frame"]["octets"])
    before = town.contents()
    town.send("client/eth0", octets)
    end = time.monotonic() + DEADLINE_S
    changed = set[str]()
    while "hits" not in changed and time.monotonic() < end:
        after = town.contents()
        changed = {name.split(":")[1] for name in before if after[name] != before[name]}
    assert {"counters", "hits", "memories"} <= changed


def test_programs_of_another_build_are_not_spoken_for(
    town: Town, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openfex.datapath.trace.build_of", lambda role: f"next-{role}")
    assert run(["trace-frame", "client/eth0", "--lab", "test-trace"]) == 1
    assert "[other-build]" in capsys.readouterr().err


def test_a_frame_that_the_kernel_does_not_try_is_refused(town: Town, capsys: Said) -> None:
    for words in (["--hex", "ffff"], ["web/eth0", "--size", "60000"]):
        assert run(["trace-frame", "client/eth0", *words, "--lab", "test-trace"]) == 1
        assert "[frame-not-tried]" in capsys.readouterr().err
