# SPDX-License-Identifier: Apache-2.0
"""Agents on real frames: ports come up by what hosts and bridges say over their cables, and by nothing else.

That agents decide rightly tests/unit/bridge/test_agents.py shows in virtual time; here they are processes, and what
they write is in the kernel.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from openfex.datapath.tables import read_rows, read_totals
from openfex.errors import NotFoundError, VerificationError
from openfex.lab import lab, staffing
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket
from openfex.model.layout import Binding, Layout
from openfex.model.values import BROADCAST, ChannelKind
from openfex.proof import signalling
from openfex.proof.bed import frame, numbers
from openfex.proof.kernel_bed import nic_place
from tests.netns.policed import binding_of, wait_until

pytestmark = pytest.mark.root
LAB = "test-signal"
FRAMES = 3000
TEXT = """
kind: network
name: test-signal
spec: {{bridges: {{sw: {{ports: [up0]}}}}, signalling: {{keep-alive: {keep_alive}, retransmission: 20ms}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: judged
spec: {{vlan: {{access: 10}}, rate: {{{way}: 1Gbit}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw, attachment: {attachment}}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 4}}
---
kind: host
name: h2
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw, attachment: {attachment}}}}}}}
---
kind: adapter
name: n2
spec: {{host: h2, model: bcm-8, functions: 4}}
---
kind: machine
name: m1
spec: {{host: h1, nics: {{eth0: {{profile: web, address: 10.0.10.1/24}}}}}}
---
kind: machine
name: m2
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: m3
spec: {{host: h2, nics: {{eth0: {{profile: judged}}}}}}
"""


def text_of(kind: ChannelKind = ChannelKind.ETAG, attachment: str = "tc", keep_alive: str = "10s") -> str:
    way = "in" if kind is ChannelKind.VEPA else "out"  # by which no profile may judge what leaves
    return TEXT.format(kind=kind.value, attachment=attachment, keep_alive=keep_alive, way=way)


each_kind = pytest.mark.parametrize("kind", ChannelKind, ids=lambda kind: kind.value)
UNDONE = {"lost", "expired", "de-associated", "refused"}
"""What no agent may say while others die and are followed."""


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Agents in processes of their own write to one log, however Python's stdout is buffered."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    yield
    lab.down(LAB)


def events() -> list[dict[str, object]]:
    """What the agents have logged."""
    return staffing.read_log(LAB)


def states(layout: Layout) -> dict[str, object]:
    """By NIC, what its vEth is."""
    return {str(row["nic"]): row["state"] for row in port_rows(look(layout)) if row["nic"]}


@contextmanager
def nic_of(layout: Layout, machine: str) -> Iterator[tuple[Binding, PacketSocket]]:
    binding = binding_of(layout, machine)
    place = nic_place(layout, binding)
    with PacketSocket(place.device, netns=place.netns) as door:
        yield binding, door


def exchange(layout: Layout, sender: str, receiver: str, act: Callable[[int], None] = lambda number: None) -> list[int]:
    """Send frames from one NIC to another, and do something behind each; the numbers of those that arrived."""
    found: list[bytes] = []
    with nic_of(layout, sender) as (one, source), nic_of(layout, receiver) as (other, target):
        for number in range(FRAMES):
            source.send(frame(other.mac, one.mac, number))
            act(number)
            if number % 64 == 0:
                found += target.drain()

        def is_last_there() -> bool:
            found.extend(target.drain())
            return FRAMES - 1 in numbers(found[-64:])

        wait_until(is_last_there, "the last frame arrives")
    return numbers(found)


@contextmanager
def agent_of(node: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process for one node's agent alone; it is there once it holds its lock."""
    with signalling.agent_of(LAB, node) as process:
        wait_until(lambda: staffing.find(LAB, node) is not None, f"the agent of {node} runs")
        yield process


@pytest.mark.parametrize("attachment", ["tc", "xdp"])
@each_kind
def test_ports_come_up_by_signalling(clean: None, kind: ChannelKind, attachment: str) -> None:
    layout = lab.up(text_of(kind, attachment)).layout
    associated = {one["about"] for one in events() if one["event"] == "associated"}
    assert associated == {"m1/eth0", "m2/eth0", "m3/eth0"}
    assert states(layout) == dict.fromkeys(associated, "up")
    assert lab.drift(LAB).operations == (), "what they agreed on is what the documents say"
    for sender, receiver in (("m1", "m2"), ("m1", "m3"), ("m3", "m2")):
        assert exchange(layout, sender, receiver) == list(range(FRAMES))
    with nic_of(layout, "m1") as (one, source), nic_of(layout, "m3") as (_, target):
        source.send(frame(BROADCAST, one.mac, 7))
        assert numbers([target.receive(5.0) or b""]) == [7]
    with Workshop(LAB) as workshop:
        assert read_totals(workshop.node(netns_of(LAB, "bridge", "sw"))).control > 0


def test_a_second_up_changes_nothing_and_keeps_the_agents(clean: None) -> None:
    lab.up(text_of())
    before = staffing.find(LAB)
    assert lab.up(text_of()).operations == ()
    assert staffing.find(LAB) == before
    assert before is not None


def rows_of(workshop: Workshop) -> list[object]:
    """All that the programs of every node go by."""
    spaces = [netns_of(LAB, "host", "h1"), netns_of(LAB, "host", "h2"), netns_of(LAB, "bridge", "sw")]
    return [read_rows(workshop.node(space)) for space in spaces]


@each_kind
def test_p5_killed_agents_lose_no_frame_and_others_rebuild_nothing(clean: None, kind: ChannelKind) -> None:
    layout = lab.up(text_of(kind)).layout
    with Workshop(LAB) as workshop:
        before = rows_of(workshop)

        def act(number: int) -> None:
            if number == FRAMES // 3:
                signalling.kill_agents(LAB)
            if number == FRAMES // 2:
                staffing.start(LAB)

        assert exchange(layout, "m1", "m3", act) == list(range(FRAMES))
        assert rows_of(workshop) == before
    assert not {one["event"] for one in events()} & UNDONE


@each_kind
def test_p5_each_agent_that_is_killed_alone_loses_no_frame(clean: None, kind: ChannelKind) -> None:
    """One after the other, and each is followed by another one, while frames go."""
    layout = lab.up(text_of(kind)).layout
    with one_process_each(layout) as agents, ExitStack() as followers, Workshop(LAB) as workshop:
        before, said = rows_of(workshop), len(events())
        step = FRAMES // len(agents)
        nodes = list(agents)

        def act(number: int) -> None:
            node = nodes[number // step]
            if number % step == step // 3:
                kill(agents[node])
            if number % step == step * 2 // 3:
                followers.enter_context(agent_of(node))
                wait_until(partial(has_agreed, node, said), f"another agent of {node} is heard")

        assert exchange(layout, "m1", "m3", act) == list(range(FRAMES))
        wait_until(lambda: heard("associated", said) == len(layout.bindings), "hosts' NICs are confirmed")
        assert rows_of(workshop) == before
    assert not {one["event"] for one in events()[said:]} & UNDONE


def test_p5_agents_that_are_killed_are_followed_by_others_and_no_frame_is_lost(clean: None) -> None:
    """Nobody starts them but who watches them."""
    layout = lab.up(text_of()).layout
    first = staffing.find(LAB)
    assert first is not None
    with Workshop(LAB) as workshop:
        before, said = rows_of(workshop), len(events())

        def act(number: int) -> None:
            if number == FRAMES // 3:
                os.kill(first.pid, signal.SIGKILL)

        assert exchange(layout, "m1", "m3", act) == list(range(FRAMES))
        wait_until(lambda: heard("associated", said) == len(layout.bindings), "others have taken up what there is")
        assert rows_of(workshop) == before
    found = staffing.find(LAB)
    assert found is not None
    assert found.pid != first.pid
    assert [one["words"] for one in events()[said:] if one["event"] == "ended"] == [
        "its agents have ended by signal 9; others take over in 0.1 s"
    ]
    assert not {one["event"] for one in events()} & UNDONE


def has_ended(times: int) -> bool:
    """Whether agents have ended so often, as who watches them says."""
    return heard("ended") == times


def are_there() -> bool:
    found = staffing.find(LAB)
    return found is not None and found.pid != 0


def test_who_keeps_dying_is_followed_ever_later(clean: None) -> None:
    lab.up(text_of())
    for number in range(1, 4):
        wait_until(are_there, "there are agents")
        found = staffing.find(LAB)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        wait_until(partial(has_ended, number), "it is noticed")
    pauses = [str(one["words"]).rpartition(" in ")[2] for one in events() if one["event"] == "ended"]
    assert pauses == ["0.1 s", "0.2 s", "0.4 s"]


@pytest.mark.parametrize("is_killed", [False, True], ids=["alive", "killed just now"])
def test_down_ends_the_agents_and_who_watches_them(clean: None, is_killed: bool) -> None:
    lab.up(text_of())
    agents, watcher = staffing.find(LAB), staffing.find_watcher(LAB)
    assert agents is not None
    assert watcher is not None
    assert agents.pid != watcher.pid
    if is_killed:
        os.kill(agents.pid, signal.SIGKILL)
    lab.down(LAB)
    for one in (agents, watcher):
        with pytest.raises(ProcessLookupError):
            os.kill(one.pid, 0)
    assert staffing.find_watcher(LAB) is None


@pytest.mark.parametrize("is_edited", [False, True], ids=["the same file", "an edit"])
def test_agents_whose_watcher_is_killed_go_on_and_up_has_others_watched(clean: None, *, is_edited: bool) -> None:
    text = text_of()
    lab.up(text)
    agents, watcher = staffing.find(LAB), staffing.find_watcher(LAB)
    assert agents is not None
    assert watcher is not None
    os.kill(watcher.pid, signal.SIGKILL)
    wait_until(lambda: staffing.find_watcher(LAB) is None, "the watcher ends")
    assert staffing.find(LAB) == agents
    assert lab.drift(LAB).absent == ("h1", "h2", "sw"), "nobody would follow them"
    report = lab.up(EDITS["a machine"](text) if is_edited else text)
    assert report.absent == ("h1", "h2", "sw")
    assert staffing.find_watcher(LAB) is not None
    found = lab.drift(LAB)
    assert (found.operations, found.absent) == ((), ())


MORE = """---
kind: machine
name: m4
spec: {host: h1, nics: {eth0: {profile: web}}}
"""
EDITS: dict[str, Callable[[str], str]] = {
    "a machine": lambda text: text + MORE,
    "functions": lambda text: text.replace("bcm-8, functions: 4", "bcm-8, functions: 6"),
    "a vlan": lambda text: text.replace("access: 10}, rate", "access: 11}, rate"),
    "a rate": lambda text: text.replace("1Gbit", "2Gbit"),
    "one less": lambda text: text[: text.index("---\nkind: machine\nname: m3")],
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_loses_no_frame_of_others(clean: None, edit: str) -> None:
    text = text_of()
    layout = lab.up(text).layout
    edited = EDITS[edit](text)
    assert edited != text

    def act(number: int) -> None:
        if number == FRAMES // 3:
            lab.up(edited)

    assert exchange(layout, "m1", "m2", act) == list(range(FRAMES))
    assert lab.drift(LAB).operations == ()


@contextmanager
def one_process_each(layout: Layout) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The same agents, each alone in a process; hosts first, so that the bridge finds all of them."""
    staffing.stop(LAB)
    before = len(events())
    with ExitStack() as held:
        agents = {node: held.enter_context(agent_of(node)) for node in ("h1", "h2", "sw")}
        count = len(layout.bindings)
        wait_until(lambda: heard("associated", before) >= count, "all are confirmed")
        yield agents


def heard(event: str, since: int = 0) -> int:
    """How often something was logged."""
    return sum(one["event"] == event for one in events()[since:])


def kill(agent: subprocess.Popen[bytes]) -> None:
    """By signal 9; it has ended."""
    agent.kill()
    agent.wait()


def has_agreed(node: str, since: int) -> bool:
    """Whether a node's agent has said that EVB is agreed with somebody."""
    return any((one["node"], one["event"]) == (node, "agreed") for one in events()[since:])


@each_kind
def test_p3_the_veths_of_a_silent_host_go_down_and_come_back(clean: None, kind: ChannelKind) -> None:
    layout = lab.up(text_of(kind, keep_alive="1s")).layout
    with one_process_each(layout) as agents:
        kill(agents["h2"])
        wait_until(lambda: states(layout)["m3/eth0"] != "up", "m3's vEth goes down")
        assert states(layout) == {"m1/eth0": "up", "m2/eth0": "up", "m3/eth0": "down, no profile"}, "and no other"
        assert heard("expired") == 1
        with agent_of("h2"):
            wait_until(lambda: states(layout)["m3/eth0"] == "up", "and comes back")


@each_kind
def test_p5_a_bridge_s_dead_agent_takes_nothing_down(clean: None, kind: ChannelKind) -> None:
    """Nor does it when hosts have noticed, nor when another one is there again."""
    layout = lab.up(text_of(kind, keep_alive="1s")).layout
    with one_process_each(layout) as agents, ExitStack() as followers:

        def act(number: int) -> None:
            if number == FRAMES // 3:
                kill(agents["sw"])
                wait_until(lambda: heard("lost") >= len(layout.bindings), "hosts notice")
                assert states(layout) == dict.fromkeys(("m1/eth0", "m2/eth0", "m3/eth0"), "up")
            if number == FRAMES * 2 // 3:
                before = len(events())
                followers.enter_context(agent_of("sw"))
                wait_until(lambda: heard("associated", before) >= len(layout.bindings), "it takes them up")

        assert exchange(layout, "m1", "m3", act) == list(range(FRAMES))
        assert heard("expired") == 0


def test_agents_that_are_gone_are_missed_and_up_starts_others(clean: None) -> None:
    lab.up(text_of())
    staffing.stop(LAB)
    assert lab.drift(LAB).absent == ("h1", "h2", "sw")
    with agent_of("h1"):
        assert lab.drift(LAB).absent == ("h2", "sw")
    found = lab.up(text_of())
    assert (found.operations, found.absent) == ((), ("h1", "h2", "sw"))
    assert lab.drift(LAB).absent == ()


def test_agents_that_are_not_done_in_time_are_a_change_that_is_undone(
    clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = lab.up(text_of()).layout
    with monkeypatch.context() as patch:
        patch.setattr(staffing, "READY_S", 0.0)
        with pytest.raises(VerificationError) as caught:
            lab.up(EDITS["a machine"](text_of()))
    assert caught.value.code == "agents-failed"
    assert lab.layout_of(LAB) == layout
    assert lab.up(text_of()).layout == layout
    assert states(layout) == dict.fromkeys(("m1/eth0", "m2/eth0", "m3/eth0"), "up")
    assert staffing.find(LAB) is not None


def test_a_node_has_one_agent(clean: None) -> None:
    lab.up(text_of())
    command = [sys.executable, "-P", "-m", "openfex", "lab", "agents", LAB, "--node", "h1"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, "agents-run" in found.stderr) == (1, True)


def test_neighbours_are_shown(clean: None) -> None:
    layout = lab.up(text_of()).layout
    rows = {(row["node"], row["device"]): row for row in staffing.neighbours(LAB)}
    assert {key: (row["name"], row["port"]) for key, row in rows.items()} == {
        **{(one.host, one.device): ("sw", one.bridge_device) for host in layout.hosts for one in host.uplinks},
        **{("sw", one.bridge_device): (one.host, one.device) for host in layout.hosts for one in host.uplinks},
    }
    assert {(row["evb"], row["control"], row["relay"]) for row in rows.values()} == {("agreed", True, False)}
    staffing.stop(LAB)
    with pytest.raises(NotFoundError) as caught:
        staffing.neighbours(LAB)
    assert caught.value.code == "no-agents"


def test_agents_that_cannot_be_others_go_on(clean: None) -> None:
    """They are asked to read documents again, by which an uplink is whose device is gone."""
    layout = lab.up(text_of()).layout
    before = staffing.find(LAB)
    assert before is not None
    with Netlink(netns_of(LAB, "host", "h2")) as netlink:
        netlink.delete(layout.host("h2").uplinks[0].device)
    wait_until(lambda: heard("link-lost") == 2, "both ends notice")
    os.kill(before.pid, signal.SIGHUP)
    wait_until(lambda: heard("not-read") == 1, "it is told")
    assert staffing.find(LAB) == before
    assert {row["name"] for row in staffing.neighbours(LAB) if row["evb"] == "agreed"} == {"h1", "sw"}
    assert exchange(layout, "m1", "m2") == list(range(FRAMES))
    assert heard("ended") == 0


def test_an_uplink_whose_device_is_removed_is_shown_and_taken_up_when_it_is_back(clean: None) -> None:
    layout = lab.up(text_of()).layout
    host, bridge = netns_of(LAB, "host", "h1"), netns_of(LAB, "bridge", "sw")
    uplink = layout.host("h1").uplinks[0]
    with Netlink(host) as netlink:
        netlink.delete(uplink.device)
        wait_until(lambda: heard("link-lost") == 2, "both ends notice")
        lost = {(row["node"], row["device"]) for row in staffing.neighbours(LAB) if row["evb"] == "lost"}
        assert lost == {("h1", uplink.device), ("sw", uplink.bridge_device)}
        netlink.add_veth(uplink.device, uplink.bridge_device, mtu=uplink.mtu, peer_netns=bridge)
        netlink.set(uplink.device, up=True)
        with Netlink(bridge) as other:
            other.set(uplink.bridge_device, up=True)
    wait_until(lambda: heard("link-back") == 2, "both ends take it up")
    assert {row["evb"] for row in staffing.neighbours(LAB)} >= {"agreed"}
    lab.up(text_of())
    assert lab.drift(LAB).operations == ()
    assert exchange(layout, "m1", "m3") == list(range(FRAMES))


def test_down_says_that_it_ended_the_agents(clean: None) -> None:
    lab.up(text_of())
    assert f"agents of {LAB}" in lab.down(LAB)
