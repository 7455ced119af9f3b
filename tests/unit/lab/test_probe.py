# SPDX-License-Identifier: Apache-2.0
"""Frames from short descriptions: what is not said is what the NIC would send."""

from __future__ import annotations

import pytest

from openfex.errors import OpenfexError
from openfex.lab.payload import Wish
from openfex.lab.points import entry_of
from openfex.lab.probe import make_frame
from openfex.lab.view.frame_words import octets_row, octets_text
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out

DOCUMENTS = """
kind: network
name: small
spec: {bridges: {sw: {ports: {up0: {profile: wan}}}}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: profile
name: phone
spec: {vlan: {trunk: {allowed: 20, native: 10}}}
---
kind: profile
name: wan
spec: {vlan: {trunk: {allowed: "5,10,20"}}}
---
kind: host
name: h1
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n0
spec: {host: h1, model: bcm-8, functions: 5}
---
kind: machine
name: a
spec: {host: h1, nics: {eth0: {profile: web, mac: 52:54:00:00:00:0a, address: [10.0.0.1/24, "fd00::1/64"]}}}
---
kind: machine
name: b
spec: {host: h1, nics: {eth0: {profile: web, mac: 52:54:00:00:00:0b, address: [10.0.0.2/24, "fd00::2/64"]}}}
---
kind: machine
name: six
spec: {host: h1, nics: {eth0: {profile: web, mac: 52:54:00:00:00:06, address: "fd00::6/64"}}}
---
kind: machine
name: phone
spec: {host: h1, nics: {eth0: {profile: phone, mac: 52:54:00:00:00:0f}}}
"""
A, B, SIX, PHONE = (f"52:54:00:00:00:{octet}" for octet in ("0a", "0b", "06", "0f"))
ALL, STRANGER = "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:01"


def layout() -> Layout:
    return lay_out(read_documents(DOCUMENTS))


def make(port: str, wish: Wish) -> bytes:
    return make_frame(layout(), entry_of(layout(), port), wish)


@pytest.mark.parametrize(
    ("port", "wish", "said"),
    [
        ("a/eth0", Wish(), f"{A} > {ALL}, arp: who has 10.0.0.1? 10.0.0.1 asks, 60 octets"),
        ("a/eth0", Wish("b/eth0", "arp"), f"{A} > {ALL}, arp: who has 10.0.0.2? 10.0.0.1 asks, 60 octets"),
        ("a/eth0", Wish("b/eth0"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, icmp echo-request, 60 octets"),
        ("a/eth0", Wish("10.0.0.2"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, icmp echo-request, 60 octets"),
        ("a/eth0", Wish(B), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, icmp echo-request, 60 octets"),
        ("a/eth0", Wish("fd00::2"), f"{A} > {B}, fd00::1 > fd00::2, icmpv6 echo-request, 62 octets"),
        ("a/eth0", Wish("b/eth0", ipv6=True), f"{A} > {B}, fd00::1 > fd00::2, icmpv6 echo-request, 62 octets"),
        ("a/eth0", Wish("b/eth0", "icmpv6"), f"{A} > {B}, fd00::1 > fd00::2, icmpv6 echo-request, 62 octets"),
        ("a/eth0", Wish("six/eth0"), f"{A} > {SIX}, fd00::1 > fd00::6, icmpv6 echo-request, 62 octets"),
        ("six/eth0", Wish("a/eth0", "udp"), f"{SIX} > {A}, fd00::6 > fd00::1, udp 50000 > 53, 62 octets"),
        ("a/eth0", Wish("b/eth0", "tcp", "443"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, tcp 50000 > 443 syn, 60 octets"),
        (
            "a/eth0",
            Wish("fd00::2", "tcp", flags="syn,ack", source_port=80),
            f"{A} > {B}, fd00::1 > fd00::2, tcp 80 > 80 syn+ack, 74 octets",
        ),
        (
            "a/eth0",
            Wish("b/eth0", "tcp", flags=""),
            f"{A} > {B}, 10.0.0.1 > 10.0.0.2, tcp 50000 > 80 no flags, 60 octets",
        ),
        ("a/eth0", Wish("b/eth0", "icmp", "echo-reply"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, icmp echo-reply, 60 octets"),
        ("a/eth0", Wish("b/eth0", "icmp", "13"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, icmp 13, 60 octets"),
        ("a/eth0", Wish("b/eth0", "sctp", "7"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, sctp 50000 > 7, 60 octets"),
        ("a/eth0", Wish("b/eth0", "gre"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, gre, 60 octets"),
        ("a/eth0", Wish("fd00::2", "gre"), f"{A} > {B}, fd00::1 > fd00::2, gre, 62 octets"),
        ("a/eth0", Wish("b/eth0", "0x88b5"), f"{A} > {B}, 0x88b5, 60 octets"),
        ("a/eth0", Wish("b/eth0", "0x0800"), f"{A} > {B}, ipv4 that cannot be read, 60 octets"),
        ("a/eth0", Wish("", "udp", "67"), f"{A} > {ALL}, 10.0.0.1 > 255.255.255.255, udp 50000 > 67, 60 octets"),
        (
            "a/eth0",
            Wish("", "udp", "547", ipv6=True),
            f"{A} > 33:33:00:00:00:01, fd00::1 > ff02::1, udp 50000 > 547, 62 octets",
        ),
        (
            "a/eth0",
            Wish("8.8.8.8", to_mac=B),
            f"{A} > {B}, 10.0.0.1 > 8.8.8.8, icmp echo-request, 60 octets",
        ),
        (
            "a/eth0",
            Wish("b/eth0", sender="10.9.9.9", sender_mac=STRANGER),
            f"{STRANGER} > {B}, 10.9.9.9 > 10.0.0.2, icmp echo-request, 60 octets",
        ),
        (
            "a/eth0",
            Wish("b/eth0", sender="six/eth0"),
            f"{SIX} > {B}, fd00::6 > fd00::2, icmpv6 echo-request, 62 octets",
        ),
        (
            "a/eth0",
            Wish("b/eth0", vlan="99"),
            f"{A} > {B}, VLAN tag 99, 10.0.0.1 > 10.0.0.2, icmp echo-request, 60 octets",
        ),
        ("a/eth0", Wish("b/eth0", "udp", size=1000), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, udp 50000 > 53, 1000 octets"),
        ("sw/veth1.1", Wish("b/eth0"), f"{A} > {B}, 10.0.0.1 > 10.0.0.2, icmp echo-request, 60 octets"),
        ("phone/eth0", Wish("a/eth0"), f"{PHONE} > {A}, 192.0.2.1 > 10.0.0.1, icmp echo-request, 60 octets"),
        (
            "sw/up0",
            Wish("a/eth0", "tcp", "22"),
            f"{STRANGER} > {A}, VLAN tag 10, 192.0.2.1 > 10.0.0.1, tcp 50000 > 22 syn, 60 octets",
        ),
        (
            "sw/up0",
            Wish("a/eth0", vlan="none"),
            f"{STRANGER} > {A}, 192.0.2.1 > 10.0.0.1, icmp echo-request, 60 octets",
        ),
        ("sw/up0", Wish(), f"{STRANGER} > {ALL}, VLAN tag 5, arp: who has 192.0.2.1? 192.0.2.1 asks, 60 octets"),
        ("h1/up-a", Wish("a/eth0"), f"{STRANGER} > {A}, 192.0.2.1 > 10.0.0.1, icmp echo-request, 60 octets"),
    ],
)
def test_what_is_made_of_a_description(port: str, wish: Wish, said: str) -> None:
    assert octets_text(make(port, wish)) == said


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish("c/eth0"), "no-such-nic"),
        (Wish("10.0.0.99"), "no-mac"),
        (Wish("b/eth0", "tpc"), "bad-protocol"),
        (Wish("b/eth0", "0x5"), "bad-ethertype"),
        (Wish("b/eth0", "tcp", "65536"), "bad-port"),
        (Wish("b/eth0", "tcp", "x"), "bad-port"),
        (Wish("b/eth0", "gre", "5"), "bad-port"),
        (Wish("b/eth0", "icmp", "packet-too-big"), "bad-icmp-type"),
        (Wish("b/eth0", "icmp", "nonsense"), "bad-icmp-type"),
        (Wish("b/eth0", "tcp", flags="sin"), "bad-tcp-flags"),
        (Wish("b/eth0", vlan="4096"), "bad-vlan"),
        (Wish("b/eth0", size=20), "too-short"),
        (Wish("b/eth0", to_mac="x"), "bad-mac"),
    ],
)
def test_what_cannot_be_made_is_told(wish: Wish, code: str) -> None:
    with pytest.raises(OpenfexError) as caught:
        make("a/eth0", wish)
    assert caught.value.code == code


def test_every_size_is_had() -> None:
    for protocol in ("tcp", "udp", "icmp", "arp", "gre", "0x88b5"):
        for size in (62, 63, 100, 1514):
            assert len(make("a/eth0", Wish("b/eth0", protocol, size=size))) == size


def test_a_frame_as_values() -> None:
    row = octets_row(make("sw/up0", Wish("a/eth0", "tcp", "22")))
    assert {**row, "octets": "", "says": ""} == {
        "source": STRANGER,
        "destination": A,
        "vlan": 10,
        "type": "0x0800",
        "from": "192.0.2.1",
        "to": "10.0.0.1",
        "protocol": "tcp",
        "length": 60,
        "octets": "",
        "says": "",
    }


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        ("ffffffffffff5254000000018100", "14 octets, cut off inside their head"),
        ("ffffffffffff5254000000010800", "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff, ipv4 that cannot be read, 14 octets"),
        ("ff", "1 octets, cut off inside their head"),
    ],
)
def test_octets_that_are_no_whole_frame(octets: str, said: str) -> None:
    assert octets_text(bytes.fromhex(octets)) == said


@pytest.mark.parametrize(("vlan", "inner"), [("", b"\x81\x00\x00\x0a"), ("20", b"\x81\x00\x00\x14"), ("none", b"")])
def test_a_provider_sends_all_of_it_inside_its_service_tag(vlan: str, inner: bytes) -> None:
    text = DOCUMENTS.replace('allowed: "5,10,20"}', 'allowed: "5,10,20"}, service: 100')
    wanted = lay_out(read_documents(text))
    octets = make_frame(wanted, entry_of(wanted, "sw/up0"), Wish("a/eth0", vlan=vlan))
    tags = b"\x88\xa8\x00\x64" + inner
    assert octets[12 : 12 + len(tags) + 2] == tags + b"\x08\x00"
