# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire.cdcp import DEFAULT, Cdcp, CdcpRole, SChannel
from openfex.wire.lldp import IEEE_8021, organization_octets


def octets_of(cdcp: Cdcp) -> str:
    octets = organization_octets(cdcp.tlv(), IEEE_8021, Cdcp.SUBTYPE)
    assert octets is not None
    return octets.hex()


@pytest.mark.parametrize(
    ("cdcp", "octets"),
    [
        (Cdcp(CdcpRole.BRIDGE, (), capacity=0, s_component=False), "00000000"),
        (Cdcp(CdcpRole.STATION, (), capacity=0, s_component=False), "80000000"),
        (Cdcp(CdcpRole.BRIDGE, (), capacity=0), "08000000"),
        (Cdcp(CdcpRole.BRIDGE, (), capacity=0xABC, s_component=False), "00000abc"),
        (Cdcp(CdcpRole.STATION, (DEFAULT, SChannel(0xABC, 0xDEF))), "880000a7001001abcdef"),
    ],
)
def test_each_field_has_its_bits(cdcp: Cdcp, octets: str) -> None:
    assert octets_of(cdcp) == octets
    assert Cdcp.decode(bytes.fromhex(octets)) == cdcp


def test_reserved_bits_are_ignored() -> None:
    assert Cdcp.decode(bytes.fromhex("77fff000")) == Cdcp(CdcpRole.BRIDGE, (), capacity=0, s_component=False)


@pytest.mark.parametrize("octets", [b"", bytes(3), bytes(5), bytes(9)])
def test_octets_that_end_inside_the_head_or_a_channel_are_refused(octets: bytes) -> None:
    with pytest.raises(WireError) as caught:
        Cdcp.decode(octets)
    assert caught.value.code == "truncated-frame"


def test_a_tlv_holds_167_channels_and_no_more() -> None:
    channels = tuple(SChannel(scid, scid + 1000) for scid in range(1, 168))
    full = Cdcp(CdcpRole.STATION, channels)
    assert len(full.tlv().value) == 509
    assert Cdcp.decode(bytes.fromhex(octets_of(full))) == full
    with pytest.raises(WireError, match="167 channels at most, not 168"):
        Cdcp(CdcpRole.STATION, (*channels, SChannel(168, 0)))


def test_a_number_that_does_not_fit_is_refused() -> None:
    for wrong in ({"capacity": 4096}, {"channels": (SChannel(4096, 1),)}, {"channels": (SChannel(1, -1),)}):
        with pytest.raises(WireError) as caught:
            Cdcp(CdcpRole.BRIDGE, **wrong)
        assert caught.value.code == "field-out-of-range"
