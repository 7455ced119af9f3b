# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.lldp import IEEE_8021, ChassisId, Lldpdu, PortId, organization_octets, organization_tlv, system_name
from openfex.wire.tlv import NEAREST_BRIDGE, NEAREST_NON_TPMR_BRIDGE, Tlv

MAC = Mac.parse("52:54:00:aa:00:01")
FIRST = bytes.fromhex("0207045254 00aa0001 0405 0565746830 0602 0078")


def said(*tlvs: Tlv) -> Lldpdu:
    return Lldpdu(ChassisId.of_mac(MAC), PortId.of_interface("eth0"), 120, tlvs)


def code_of(octets: bytes) -> str:
    with pytest.raises(WireError) as caught:
        Lldpdu.decode(octets)
    return caught.value.code


def test_the_three_that_must_be_there_come_first_and_the_end_last() -> None:
    assert said().encode() == FIRST + bytes(2)
    assert said(system_name("h1"), Tlv(8, b"x")).encode() == FIRST + b"\x0a\x02h1\x10\x01x" + bytes(2)


def test_what_follows_the_end_is_padding() -> None:
    assert Lldpdu.decode(FIRST + bytes(2) + b"\xff\xff\xff") == said()


def test_an_end_that_is_missing_is_not_missed() -> None:
    assert Lldpdu.decode(FIRST) == said()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        FIRST[:9],  # no port
        FIRST[:16],  # no ttl
        FIRST[9:16] + FIRST[:9] + FIRST[16:],  # the port first
        b"\x0a\x02h1" + FIRST,  # a name first
        FIRST + FIRST[:9],  # two chassis
        FIRST + FIRST[16:],  # two ttls
        FIRST + b"\x00\x01x",  # an end that holds something
    ],
)
def test_an_lldpdu_without_its_three_in_order_and_once_is_none(octets: bytes) -> None:
    assert code_of(octets) == "misplaced-tlv"


def test_an_lldpdu_that_ends_inside_a_tlv_is_none() -> None:
    assert code_of(FIRST + b"\x0a\x05h1") == "truncated-frame"
    assert code_of(FIRST[:16] + b"\x06\x01\x78") == "truncated-frame"
    assert code_of(b"\x02\x00" + FIRST[9:]) == "truncated-frame"
    assert code_of(FIRST[:9] + b"\x04\x00" + FIRST[16:]) == "truncated-frame"


def test_an_id_has_1_to_255_octets() -> None:
    assert code_of(b"\x02\x01\x04" + FIRST[9:]) == "field-out-of-range"
    assert code_of(b"\x03\x01\x07" + bytes(256) + FIRST[9:]) == "field-out-of-range"
    assert str(ChassisId(7, b"a" * 255)) == "a" * 255


def test_octets_behind_the_ttl_s_two_are_ignored() -> None:
    assert Lldpdu.decode(FIRST[:16] + b"\x06\x03\x00\x78\xff") == said()


def test_an_lldpdu_that_no_link_would_carry_is_refused() -> None:
    full = said(*[Tlv(9, bytes(510))] * 2, Tlv(9, bytes(1500 - 2 * 512 - 2 - len(FIRST) - 2)))
    assert len(full.encode()) == 1500
    with pytest.raises(WireError) as caught:
        said(*full.tlvs, Tlv(9, b""))
    assert caught.value.code == "too-long"


def test_a_ttl_has_two_octets() -> None:
    assert Lldpdu(ChassisId.of_mac(MAC), PortId.of_mac(MAC), 0xFFFF).ttl == 0xFFFF
    with pytest.raises(WireError, match="ttl is 65536"):
        Lldpdu(ChassisId.of_mac(MAC), PortId.of_mac(MAC), 0x10000)


def test_a_frame_goes_to_its_scope_and_is_not_runt() -> None:
    frame = said().frame(NEAREST_BRIDGE, MAC)
    assert frame[:14].hex() == "0180c200000e525400aa000188cc"
    assert frame[14:] == said().encode() + bytes(60 - 14 - len(said().encode()))
    long = said(Tlv(9, bytes(100))).frame(NEAREST_NON_TPMR_BRIDGE, MAC)
    assert long[:6].hex() == "0180c2000003"
    assert len(long) == 14 + len(FIRST) + 102 + 2


def test_ids_and_names_are_read_as_text_that_harms_no_terminal() -> None:
    assert str(ChassisId.of_mac(MAC)) == str(PortId.of_mac(MAC)) == "52:54:00:aa:00:01"
    assert str(PortId.of_interface("eth0")) == "eth0"
    assert str(PortId(5, b"\x1b[2J")) == "1b5b324a"
    assert str(ChassisId(5, b"\x01\x0a\0\0\1")) == "010a000001"
    assert str(ChassisId(4, b"short")) == "short"
    assert str(PortId(7, b"\xff\xfe")) == "fffe"
    assert said(system_name("host-1")).system_name == "host-1"
    assert said(Tlv(5, b"a\x1b\xff")).system_name == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert said().system_name == ""


def test_an_organization_s_tlv_is_found_by_oui_and_subtype() -> None:
    one, other = organization_tlv(IEEE_8021, 13, b"evb"), organization_tlv(b"\0\x1b\x3f", 13, b"draft")
    assert organization_octets(one, IEEE_8021, 13) == b"evb"
    assert organization_octets(one, IEEE_8021, 14) is None
    assert organization_octets(Tlv(5, one.value), IEEE_8021, 13) is None
    assert said(other, one, organization_tlv(IEEE_8021, 13, b"again")).find(IEEE_8021, 13) == b"evb"
    assert said(other).find(IEEE_8021, 13) is None
