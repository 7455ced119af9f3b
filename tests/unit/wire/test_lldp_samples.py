# SPDX-License-Identifier: Apache-2.0
"""Every LLDP sample, field by field, as independent decoders read it."""

from __future__ import annotations

import pytest

from openfex.model.values import Mac
from openfex.wire import Frame
from openfex.wire.cdcp import DEFAULT, Cdcp, CdcpRole, SChannel
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, RelayStatus, StationStatus
from openfex.wire.lldp import ETHERTYPE, ChassisId, Lldpdu, PortId
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE, ORGANIZATION, Tlv
from tests.unit.wire.samples import read_samples

SAMPLES = read_samples("lldp.hex")
STATION, BRIDGE = Mac.parse("52:54:00:aa:00:01"), Mac.parse("52:54:00:bb:00:01")
EVB = {
    "L1": Evb(
        EvbMode.STATION, station=StationStatus(rrreq=True, rrstat=RelayStatus.UNKNOWN), retries=3, rte=8, rwd=20, rka=20
    ),
    "L2": Evb(EvbMode.BRIDGE, bridge=BridgeStatus(rrcap=True), retries=3, rte=8, rwd=20, rka=20),
    "L1b": Evb(
        EvbMode.STATION,
        BridgeStatus(rrcap=True, rrctr=True),
        StationStatus(rrreq=True, rrstat=RelayStatus.ON),
        rte=8,
        rwd_remote=True,
        rka_remote=True,
    ),
    "L2b": Evb(
        EvbMode.BRIDGE,
        BridgeStatus(rrcap=True, rrctr=True),
        StationStatus(rrreq=True, rrstat=RelayStatus.ON),
        rte=8,
        rwd_remote=True,
        rka_remote=True,
    ),
    "L3": Evb(
        EvbMode.STATION,
        BridgeStatus(rrcap=True, rrctr=True, bgid=True),
        StationStatus(rrreq=True, rrstat=RelayStatus.UNKNOWN, sgid=True),
        retries=7,
        rte=31,
        rwd=31,
        rka=31,
        rwd_remote=True,
        rka_remote=True,
    ),
}
CDCP = {
    "L4": Cdcp(CdcpRole.STATION, (DEFAULT, SChannel(2, 100)), capacity=167),
    "L5": Cdcp(CdcpRole.BRIDGE, (DEFAULT,), capacity=16),
}
RAW = {
    "L6": Tlv(ORGANIZATION, bytes.fromhex("0080c20f00525400bb0001525400bb0001")),
    "L7": Tlv(ORGANIZATION, bytes.fromhex("001b3f00400740070cdf00000f")),
}
OF_STATION = {"L1", "L1b", "L4", "L7"}


def wanted(name: str) -> Lldpdu:
    mac = STATION if name in OF_STATION else BRIDGE
    tlv = EVB[name].tlv() if name in EVB else CDCP[name].tlv() if name in CDCP else RAW[name]
    return Lldpdu(ChassisId.of_mac(mac), PortId.of_mac(mac), 120, (tlv,))


def test_every_sample_has_an_expectation() -> None:
    assert set(SAMPLES) == {*EVB, *CDCP, *RAW}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_decodes_to_what_it_holds(name: str) -> None:
    frame = Frame.decode(SAMPLES[name])
    mac = STATION if name in OF_STATION else BRIDGE

    assert (frame.dst, frame.src, frame.ethertype, frame.tags) == (NEAREST_CUSTOMER_BRIDGE, mac, ETHERTYPE, ())
    lldpdu = Lldpdu.decode(frame.payload)
    assert lldpdu == wanted(name)
    assert (str(lldpdu.chassis), str(lldpdu.port), lldpdu.ttl) == (str(mac), str(mac), 120)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_sample_holds_encodes_to_it(name: str) -> None:
    octets = SAMPLES[name]

    assert len(octets) == 60
    assert wanted(name).frame(NEAREST_CUSTOMER_BRIDGE, Frame.decode(octets).src) == octets


@pytest.mark.parametrize("name", SAMPLES)
def test_evb_and_cdcp_are_found_where_they_are_and_nowhere_else(name: str) -> None:
    lldpdu = Lldpdu.decode(Frame.decode(SAMPLES[name]).payload)

    assert Evb.find(lldpdu) == EVB.get(name)
    assert Cdcp.find(lldpdu) == CDCP.get(name)
