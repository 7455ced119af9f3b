# SPDX-License-Identifier: Apache-2.0
"""Every ECP and VDP sample, field by field, as lldpad sent it and independent decoders read its header."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from openfex.model.values import Mac
from openfex.wire.ecp import PE_CSP, VDP, Ecpdu, Operation
from openfex.wire.ethernet import Frame
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, FilterFormat, Vsiid
from tests.unit.wire.samples import read_samples

SAMPLES = read_samples("ecp.hex")
STATION, BRIDGE = Mac.parse("52:54:00:aa:00:01"), Mac.parse("52:54:00:bb:00:01")
REQUEST, ACK = Operation
BLABLA, MGR1 = ManagerId.text("blabla"), ManagerId.text("mgr1")


def vm(number: int) -> Vsiid:
    return Vsiid.uuid(UUID(f"aaaaaaaa-0000-0000-0000-{number:012x}"))


def mac(text: str) -> Mac:
    return Mac.parse(f"52:00:00:11:22:{text}")


UUID_1 = Vsiid.uuid(UUID("11223344-5566-7788-99aa-bbccddeeff00"))
ASSOCIATED = VsiTlv(Command.ASSOCIATE, UUID_1, type_id=5, type_version=4, filters=(Filter(200, mac("33")),))
PRE = VsiTlv(Command.PRE_ASSOCIATE, vm(1), 0x10, 1, (Filter(100, mac("44")),), hint=Hint.TO)
TWO_VIDS = VsiTlv(Command.ASSOCIATE, vm(2), 0x10, 1, (Filter(101), Filter(102)))
NULL_VID = VsiTlv(Command.ASSOCIATE, vm(3), 0x10, 1, (Filter(0, mac("55")),), hint=Hint.FROM)
GROUP = VsiTlv(Command.ASSOCIATE, UUID_1, 0x10, 1, (Filter(100, group=0x10001),))
GROUP_MAC = replace(GROUP, filters=(Filter(100, mac("66"), group=0x10001, pcp=5),), filter_format=None)
HELD: dict[str, tuple[Mac, Operation, int, int, Vdpdu | None]] = {
    "P1": (STATION, REQUEST, VDP, 1, Vdpdu(BLABLA, (ASSOCIATED,))),
    "P2": (BRIDGE, ACK, VDP, 1, None),
    "P3": (BRIDGE, REQUEST, VDP, 1, Vdpdu(BLABLA, (replace(ASSOCIATED, is_response=True),))),
    "P4": (
        BRIDGE,
        REQUEST,
        VDP,
        2,
        Vdpdu(
            BLABLA,
            (replace(ASSOCIATED, is_response=True, hard=True, error=ErrorCode.INSUFFICIENT_RESOURCES),),
        ),
    ),
    "P5": (STATION, REQUEST, VDP, 4, Vdpdu(MGR1, (PRE,))),
    "P6": (STATION, REQUEST, VDP, 5, Vdpdu(MGR1, (replace(PRE, command=Command.PRE_ASSOCIATE_RR),))),
    "P7": (STATION, REQUEST, VDP, 6, Vdpdu(MGR1, (TWO_VIDS,))),
    "P8": (STATION, REQUEST, VDP, 7, Vdpdu(MGR1, (NULL_VID,))),
    "P9": (STATION, REQUEST, VDP, 8, Vdpdu(MGR1, (replace(TWO_VIDS, command=Command.DE_ASSOCIATE),))),
    "P10": (STATION, REQUEST, VDP, 9, Vdpdu(MGR1, (GROUP,))),
    "P11": (STATION, REQUEST, VDP, 10, Vdpdu(MGR1, (GROUP_MAC,))),
    "C1": (BRIDGE, REQUEST, PE_CSP, 1, None),
    "C2": (STATION, ACK, PE_CSP, 1, None),
}
FORMATS = {
    **dict.fromkeys(("P1", "P3", "P4", "P5", "P6", "P8"), FilterFormat.MAC_VID),
    **dict.fromkeys(("P7", "P9"), FilterFormat.VID),
    "P10": FilterFormat.GROUP_VID,
    "P11": FilterFormat.GROUP_MAC_VID,
}


def test_every_sample_has_an_expectation() -> None:
    assert set(SAMPLES) == set(HELD)
    assert set(FORMATS) == {name for name, held in HELD.items() if held[-1]}


@pytest.mark.parametrize("name", HELD)
def test_a_sample_s_head_is_what_it_holds(name: str) -> None:
    source, operation, subtype, sequence, _ = HELD[name]
    pdu = Ecpdu.decode_frame(SAMPLES[name])
    assert (pdu.version, pdu.operation, pdu.subtype, pdu.sequence) == (1, operation, subtype, sequence)
    frame = Frame.decode(SAMPLES[name])
    assert (frame.dst, frame.src, frame.ethertype) == (NEAREST_CUSTOMER_BRIDGE, source, 0x8940)


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_s_vdpdu_is_what_it_holds(name: str) -> None:
    wanted = HELD[name][-1]
    assert wanted is not None
    found = Vdpdu.decode(Ecpdu.decode_frame(SAMPLES[name]).payload)
    assert found == wanted
    assert found.vsis[0].filter_format is FORMATS[name]
    assert found.encode() == Ecpdu.decode_frame(SAMPLES[name]).payload


@pytest.mark.parametrize("name", ["P2", "C1", "C2"])
def test_a_sample_without_a_vdpdu_has_nothing_or_padding(name: str) -> None:
    assert Ecpdu.decode_frame(SAMPLES[name]).payload == (bytes(42) if name == "C1" else b"")


@pytest.mark.parametrize("name", HELD)
def test_a_sample_is_written_as_it_was_read(name: str) -> None:
    source, operation, subtype, sequence, held = HELD[name]
    assert Ecpdu.decode_frame(SAMPLES[name]).frame(source) == SAMPLES[name]
    made = Ecpdu(operation, subtype, sequence, held.encode() if held else b"")
    assert made.frame(source) == SAMPLES[name]
