# SPDX-License-Identifier: Apache-2.0
"""The octets of an adapter's functions in rtnetlink messages, without a kernel."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.linux import functions as vf
from openfex.linux.links import IFINFO, read_link
from openfex.linux.rtnetlink import Answer, attribute, attributes, nested, text, u32
from openfex.model.adapters import FunctionCounters
from openfex.model.functions import HwMode, LinkState, Settings, TagProtocol
from openfex.model.values import Mac

MAC = Mac.parse("52:54:00:00:00:01")
HEAD = IFINFO.pack(0, 1, 2, 0x1043, 0)
WHOLE = Settings(
    mac=MAC, vlan=10, qos=3, protocol=TagProtocol.DOT1AD, min_rate=100, max_rate=1000, spoof_check=True,
    trust=False, link=LinkState.DOWN, rss_query=True,
)  # fmt: skip
ONES = 0xFFFFFFFF


def said(index: int, *more: bytes, spoof: int = 1, trust: int = 0, rss: int = ONES, link: int = 0) -> bytes:
    """An IFLA_VF_INFO in the order and form of rtnl_fill_vfinfo."""

    def pair(kind: int, value: int) -> bytes:
        return attribute(kind, struct.pack("=II", index, value))

    return nested(
        1,
        attribute(1, struct.pack("=I32s", index, MAC.octets)),
        attribute(13, bytes(32)),
        attribute(2, struct.pack("=III", index, 10, 3)),
        attribute(6, struct.pack("=III", index, 0, 200)),
        attribute(3, struct.pack("=II", index, 200)),
        pair(4, spoof), pair(5, link), pair(7, rss), pair(9, trust),
        nested(12, attribute(1, struct.pack("=III", index, 10, 3) + b"\x81\x00\x00\x00")),
        *more,
    )  # fmt: skip


def answer(*infos: bytes) -> Answer:
    return Answer(16, HEAD + text(3, "eno1") + u32(21, len(infos)) + nested(22, *infos))


def test_functions_are_read_with_what_their_driver_says() -> None:
    stats = nested(8, *(attribute(kind, struct.pack("=Q", kind + 1)) for kind in (0, 1, 2, 3, 4, 5, 7, 8)))
    second, first = vf.VfInfo(1, Settings()), vf.read_functions(answer(said(1), said(0, stats)))[0]
    assert first.index == 0
    assert first.settings == Settings(
        MAC, 10, 3, TagProtocol.DOT1Q, min_rate=0, max_rate=200, spoof_check=True, trust=False, link=LinkState.AUTO
    )
    assert first.counters == FunctionCounters(1, 2, 3, 4, 5, 6, 8, 9)
    found = vf.read_functions(answer(said(1, spoof=ONES, trust=ONES, link=2), said(0)))[1]
    assert found.index == second.index
    assert (found.settings.spoof_check, found.settings.trust, found.settings.link) == (None, None, LinkState.DOWN)
    assert found.counters == FunctionCounters()


def test_a_link_without_functions_has_none() -> None:
    assert vf.read_functions(Answer(16, HEAD + text(3, "eno1"))) == []


@given(st.binary(max_size=200))
def test_rubbish_is_read_without_a_crash(octets: bytes) -> None:
    vf.read_functions(Answer(16, HEAD + nested(22, nested(1, octets))))
    vf.read_functions(Answer(16, HEAD + octets))
    vf.read_bridge_mode(Answer(16, HEAD + nested(26, octets)))


def test_a_message_that_is_cut_anywhere_is_read_without_a_crash() -> None:
    body = answer(said(0), said(1)).body
    for end in range(IFINFO.size, len(body)):
        vf.read_functions(Answer(16, body[:end]))


def test_what_is_set_is_what_would_be_read() -> None:
    """The kernel answers with the attributes that it takes, but for the VLAN: there it takes the list alone."""
    parts = [body for _, body in vf.changes(2, 5, WHOLE)]
    inner = b"".join(attributes(attributes(body, IFINFO.size)[22])[1] for body in parts)
    assert vf.read_functions(Answer(16, HEAD + nested(22, nested(1, inner)))) == [vf.VfInfo(5, WHOLE)]


def test_each_attribute_is_a_message_of_its_own_and_what_is_not_said_is_none() -> None:
    assert [words for words, _ in vf.changes(2, 5, WHOLE)] == [
        "the MAC", "the VLAN", "the rates", "the spoof check", "the trust", "the link state", "the RSS query",
    ]  # fmt: skip
    assert vf.changes(2, 5, Settings()) == []
    assert [words for words, _ in vf.changes(2, 5, Settings(vlan=0))] == ["the VLAN"]


def test_what_a_kernel_has_said_of_an_igb_is_read_as_ip_reads_it() -> None:
    lines = (Path(__file__).resolve().parents[2] / "data/netlink/igb-3-functions.hex").read_text().splitlines()
    answer = Answer(16, bytes.fromhex("".join(line for line in lines if not line.startswith("#"))))
    link = read_link(answer)
    assert (link.name, link.pci, link.up, link.carrier) == ("eth0", "0000:01:00.0", True, True)
    plain = Settings(
        vlan=0, qos=0, protocol=TagProtocol.DOT1Q, min_rate=0, max_rate=0, spoof_check=True, trust=False,
        link=LinkState.AUTO,
    )  # fmt: skip
    macs = [Mac.parse(one) for one in ("52:54:00:00:01:00", "7a:a2:0c:ea:b3:a7", "e2:49:50:94:8f:16")]
    first, second, third = vf.read_functions(answer)
    assert first.settings == replace(plain, mac=macs[0])
    assert second.settings == replace(plain, mac=macs[1], vlan=200, qos=5, spoof_check=False)
    assert third.settings == replace(plain, mac=macs[2], max_rate=300, trust=True)
    assert [one.index for one in (first, second, third)] == [0, 1, 2]
    assert first.counters == FunctionCounters(0, 0, 0, 0, 0, 0, 0, 0)


RECORDED = {
    "vlan 10 qos 3 proto 802.1ad": (
        Settings(vlan=10, qos=3, protocol=TagProtocol.DOT1AD),
        "200016001c00010018000c0014000100050000000a0000000300000088a80000",
    ),
    "mac 52:54:00:00:00:01": (
        Settings(mac=MAC),
        "300016002c00010028000100050000005254000000010000000000000000000000000000000000000000000000000000",
    ),
    "max_tx_rate 200 min_tx_rate 100": (
        Settings(min_rate=100, max_rate=200),
        "1800160014000100100006000500000064000000c8000000",
    ),
}
"""What iproute2 6.1 sends for `ip link set DEV vf 5 ...`, from the attributes on."""


@pytest.mark.parametrize("command", RECORDED)
def test_the_octets_are_those_of_ip(command: str) -> None:
    change, octets = RECORDED[command]
    ((_, body),) = vf.changes(2, 5, change)
    assert body[IFINFO.size :].hex() == octets


def test_the_octets_of_a_mode_are_those_of_bridge() -> None:
    """Recorded: `bridge link set dev DEV hwmode vepa`; its empty IFLA_PROTINFO is left out."""
    assert vf.bridge_mode(1, HwMode.VEPA).hex() == (
        "0700000001000000000000000000000014001a0006000000020000000600010001000000"
    )


@pytest.mark.parametrize("mode", list(HwMode))
def test_an_embedded_switch_s_mode_comes_back(mode: HwMode) -> None:
    body = vf.bridge_mode(7, mode)
    assert body[0] == vf.AF_BRIDGE
    assert vf.read_bridge_mode(Answer(16, body)) == (7, mode)


def test_a_bridge_port_has_no_mode() -> None:
    body = IFINFO.pack(7, 0, 9, 0, 0) + nested(26, attribute(0, b"\x02\x00"))
    assert vf.read_bridge_mode(Answer(16, body)) == (9, None)


@pytest.mark.parametrize(("bus", "found"), [("pci", "0000:01:00.0"), ("virtio", "")])
def test_a_link_names_the_pci_function_that_it_is_of(bus: str, found: str) -> None:
    body = HEAD + text(3, "eno1") + text(56, "0000:01:00.0") + text(57, bus)
    assert read_link(Answer(16, body)).pci == found
