# SPDX-License-Identifier: Apache-2.0
"""Policy as machines meet it: their own stacks and sockets, on real veths."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from openfex.linux.packet import PacketSocket
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, Mac
from openfex.proof.bed import NIC, Stage, numbers
from openfex.proof.kernel_bed import KernelBed, nic_place
from openfex.wire import ETHERTYPE_ARP, arp_reply, checksum, ipv4_udp
from tests.netns.labs import running
from tests.netns.policed import DEADLINE_S, Counts, binding_of, counts_of, documents, inside, server, wait_until

pytestmark = pytest.mark.root
ADDRESS = {name: f"10.0.10.{last}" for last, name in enumerate(("client", "server", "guarded", "learner"), start=1)}
PROFILES = """
kind: profile
name: open
spec: {vlan: {access: 10}}
---
kind: profile
name: server
spec:
  vlan: {access: 10}
  acl:
    in:
    - permit: {ethertype: [arp, ipv6]}
    - permit: {protocol: tcp, source-port: 80, tcp: established}
    - permit: {protocol: icmp, icmp-type: echo-reply}
    out:
    - permit: {ethertype: [arp, ipv6]}
    - permit: {protocol: tcp, port: 80}
    - deny: {protocol: tcp, port: 81}
    - permit: {protocol: icmp, icmp-type: [echo-request, 13]}
---
kind: profile
name: guarded
spec: {vlan: {access: 10}, source: {guard: true}}
---
kind: profile
name: learner
spec: {vlan: {access: 10}, source: {learn: 2}}
---
kind: profile
name: deaf
spec: {vlan: {access: 10}, acl: {out: [{deny: {destination-mac: "ff:ff:ff:ff:ff:ff"}}, {permit: {}}]}}
---
kind: profile
name: picky
spec: {vlan: {access: 10}, acl: {out: [{permit: {}}]}}
"""
WIRES = [("vntag", "tc"), ("etag", "tc"), ("etag", "xdp")]
MACHINES = {name: f"profile: {name if name != 'client' else 'open'}, address: {ip}/24" for name, ip in ADDRESS.items()}
MACHINES |= {"deaf": "profile: deaf", "picky": "profile: picky", "other": "profile: open"}


@pytest.fixture(scope="module", params=WIRES, ids="-".join)
def layout(request: pytest.FixtureRequest) -> Iterator[Layout]:
    with running(documents("test-policy", PROFILES, MACHINES, *request.param)) as found:
        yield found


@pytest.fixture
def counts(layout: Layout) -> Iterator[Counts]:
    with counts_of(layout) as found:
        yield found


def call(layout: Layout, port: int) -> socket.socket:
    """A TCP socket of the client that has begun to connect to the server."""
    with inside(layout, "client"):
        calling = socket.socket()
    calling.setblocking(False)
    calling.connect_ex((ADDRESS["server"], port))
    return calling


# Rules


def test_a_connection_to_a_permitted_port_is_made_and_carries(layout: Layout, counts: Counts) -> None:
    before = counts.hits("server")
    with server(layout, "server", 80) as listening, call(layout, 80) as calling:
        there, _ = listening.accept()
        calling.settimeout(DEADLINE_S)
        with there:
            calling.sendall(b"question")
            assert there.recv(100) == b"question"
            there.sendall(b"answer")
            assert calling.recv(100) == b"answer"
    after = counts.hits("server")
    assert after["OUT", 2] - before["OUT", 2] >= 3
    assert after["IN", 2] - before["IN", 2] >= 2


@pytest.mark.parametrize(("port", "rule"), [(81, 3), (82, 5)], ids=["denied by a rule", "permitted by none"])
def test_a_connection_to_another_port_is_not(layout: Layout, counts: Counts, port: int, rule: int) -> None:
    before, dropped = counts.hits("server"), counts.drops("server", DropReason.ACL_OUT)
    with server(layout, "server", port) as listening, call(layout, port) as calling:
        wait_until(lambda: counts.hits("server")["OUT", rule] > before["OUT", rule], "the rule was hit")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
        with pytest.raises(OSError, match="not connected"):
            calling.getpeername()
    assert counts.drops("server", DropReason.ACL_OUT) > dropped


def test_what_a_server_begins_itself_is_dropped_where_it_comes_in(layout: Layout, counts: Counts) -> None:
    before = counts.drops("server", DropReason.ACL_IN)
    with server(layout, "client", 80) as listening, inside(layout, "server"), socket.socket() as calling:
        calling.setblocking(False)
        calling.connect_ex((ADDRESS["client"], 80))
        wait_until(lambda: counts.drops("server", DropReason.ACL_IN) > before, "the segment was dropped")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


def ask(kind: int) -> bytes:
    """An ICMP message of the kinds that are answered: echo (8) and timestamp (13)."""
    message = bytearray(bytes((kind, 0, 0, 0)) + b"\0\7\0\1" + bytes(12))
    message[2:4] = checksum(bytes(message)).to_bytes(2, "big")
    return bytes(message)


def test_a_ping_is_answered_and_what_may_not_come_back_does_not(layout: Layout, counts: Counts) -> None:
    before = counts.hits("server")
    with inside(layout, "client"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(DEADLINE_S)
        raw.sendto(ask(13), (ADDRESS["server"], 0))
        raw.sendto(ask(8), (ADDRESS["server"], 0))
        kinds = raw.recv(200)[20]
    assert kinds == 0, "the echo's answer is the first thing that comes"
    wait_until(lambda: counts.hits("server")["IN", 4] > before["IN", 4], "the timestamp's answer was denied")
    assert counts.hits("server")["OUT", 4] == before["OUT", 4] + 2
    assert counts.hits("server")["IN", 3] == before["IN", 3] + 1


# Sources


def arp_table(layout: Layout, machine: str) -> dict[str, str]:
    """The MACs that a machine's stack knows."""
    with inside(layout, machine):
        lines = Path("/proc/thread-self/net/arp").read_text().splitlines()[1:]
    return {line.split()[0]: line.split()[3] for line in lines}


def test_p2_a_guarded_nic_does_not_poison_its_neighbour(layout: Layout, counts: Counts) -> None:
    """What it says of itself changes the other's table; what it says of others does not arrive."""
    guarded, client, victim = (binding_of(layout, name) for name in ("guarded", "client", "server"))
    with server(layout, "server", 80), call(layout, 80):
        wait_until(lambda: arp_table(layout, "client").get(ADDRESS["server"]) == str(victim.mac), "the client asked")
    before = counts.drops("guarded", DropReason.SPOOFED_ADDRESS)
    place = nic_place(layout, guarded)
    with PacketSocket(place.device, netns=place.netns) as nic:
        for address in (ADDRESS["server"], ADDRESS["guarded"]):
            reply = arp_reply(guarded.mac, IPv4Address(address), client.mac, IPv4Address(ADDRESS["client"]))
            nic.send(client.mac.octets + guarded.mac.octets + ETHERTYPE_ARP.to_bytes(2, "big") + reply)
    with inside(layout, "client"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talk:
        talk.sendto(b"so that its stack looks for it", (ADDRESS["guarded"], 9))
    wait_until(lambda: arp_table(layout, "client").get(ADDRESS["guarded"]) == str(guarded.mac), "its own is known")
    assert arp_table(layout, "client")[ADDRESS["server"]] == str(victim.mac)
    assert counts.drops("guarded", DropReason.SPOOFED_ADDRESS) == before + 1


def test_a_guarded_nic_that_has_no_address_yet_may_ask_for_one(layout: Layout) -> None:
    """DHCP: from nobody, port 68, to everybody, port 67; and an ordinary server's socket hears it."""
    guarded = binding_of(layout, "guarded")
    place = nic_place(layout, guarded)
    datagram = ipv4_udp(IPv4Address(0), IPv4Address("255.255.255.255"), 68, 67, b"discover")
    with ExitStack() as stack:
        nic = stack.enter_context(PacketSocket(place.device, netns=place.netns))
        stack.enter_context(inside(layout, "client"))
        dhcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        dhcp.bind(("0.0.0.0", 67))
        dhcp.settimeout(DEADLINE_S)
        nic.send(BROADCAST.octets + guarded.mac.octets + b"\x08\x00" + datagram)
        assert dhcp.recvfrom(100) == (b"discover", ("0.0.0.0", 68))


def test_the_first_addresses_behind_a_nic_are_let_in_and_reached(layout: Layout, counts: Counts) -> None:
    first, second, third = (Mac(b"\x52\x54\0\xaa\0" + bytes([last])) for last in (1, 2, 3))
    before = counts.drops("learner", DropReason.TOO_MANY_MACS)
    with KernelBed(layout) as bed:
        stage = Stage(bed)
        client = stage.bindings["client"]
        sent = [stage.frame(client.mac, source) for source in (first, second, third, first)]
        seen = stage.exchange("learner", [octets for _, octets in sent], "client")
        arrived = numbers(seen[NIC + client.name])
        assert [number in arrived for number, _ in sent] == [True, True, False, True]
        back = [stage.frame(mac, client.mac) for mac in (first, second)]
        seen = stage.exchange("client", [octets for _, octets in back], "learner")
        assert {number for number, _ in back} <= set(numbers(seen[NIC + "learner/eth0"]))
        assert bed.bridge_tables().memory.learnt(binding_of(layout, "learner").bridge_port) == 2
    assert counts.drops("learner", DropReason.TOO_MANY_MACS) == before + 1


# Floods


def test_a_sender_that_is_judged_alone_reaches_the_one_member_of_its_uplink_s_list(layout: Layout) -> None:
    """He is not on the list himself, so one other is enough for his own uplink to need a copy."""
    with KernelBed(layout) as bed:
        stage = Stage(bed)
        number, octets = stage.broadcast("picky")
        seen = stage.exchange("picky", [octets], "client")
        assert numbers(seen[NIC + "client/eth0"]).count(number) == 1
        assert number not in numbers(seen[NIC + "picky/eth0"])


def test_p4_a_flood_reaches_each_once_but_who_may_not_have_it(layout: Layout, counts: Counts) -> None:
    rounds = 10
    before = counts.drops("deaf", DropReason.ACL_OUT)
    expected = {f"{NIC}{name}/eth0": rounds for name in MACHINES if name not in ("client", "deaf", "server")}
    with KernelBed(layout) as bed:
        stage = Stage(bed)
        sent = [stage.broadcast("client") for _ in range(rounds)]
        seen = stage.exchange("client", [octets for _, octets in sent], "deaf")
        places = [place for place in seen if place.startswith(NIC)]
        copies = {place: sum(number in {n for n, _ in sent} for number in numbers(seen[place])) for place in places}
        assert {place: count for place, count in copies.items() if count} == expected
        for came, went in (node.balance for node in bed.counts().values()):
            assert came == went
    assert counts.drops("deaf", DropReason.ACL_OUT) == before + rounds
    assert counts.drops("server", DropReason.ACL_OUT) >= rounds
