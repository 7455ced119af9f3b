# SPDX-License-Identifier: Apache-2.0
"""ECP and VDP, ours and the samples, read by Wireshark's dissector.

tshark 4.0 implements an older draft of VDP: it knows nothing of the number of filters, so what it says of MACs and VIDs
is wrong, and it does not look into Pre-Assoc. Heads, types, status bits, type ids and VSIIDs are right (wire.md 9.1).
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from openfex.model.values import Mac
from openfex.wire.ecp import CHANNEL_CONTROL, PE_CSP, VDP, Ecpdu, Operation
from openfex.wire.tlv import read_tlvs
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, Vsiid
from tests.unit.wire.samples import read_samples

pytestmark = pytest.mark.interop

Row = Mapping[str, list[str]]

MAC = Mac.parse("52:54:00:aa:00:01")
HEAD = ("ecp.ver", "ecp.op", "ecp.subtype", "ecp.seqno")
TLVS = ("vdp21.tlvtype", "vdp21.tlvlen")
BITS = tuple(f"vdp21.assoc.flags.{name}" for name in ("req_rsp", "mbit", "sbit", "hard_error", "keep"))
ERROR, MANAGER = "vdp21.assoc.error", "vdp21.manager_id"
VSI = ("vdp21.vsitypeid", "vdp21.vsiversion", "vdp21.vsiidformat", "vdp21.VSIID")
FIELDS = (*HEAD, *TLVS, *VSI, *BITS, ERROR, MANAGER)

ASSOCIATE = VsiTlv(Command.ASSOCIATE, Vsiid.mac(MAC), 0x123456, 0x78, (Filter(200, MAC),))
VSIIDS = {
    "IPv4": Vsiid.ipv4(IPv4Address("10.1.2.3")),
    "IPv6": Vsiid.ipv6(IPv6Address("2001:db8::1")),
    "MAC": Vsiid.mac(MAC),
    "local": Vsiid.local(bytes(range(16))),
}


def request(*vsis: VsiTlv) -> Ecpdu:
    return Ecpdu(Operation.REQUEST, VDP, 0xABCD, Vdpdu(ManagerId.text("mgr1"), vsis).encode())


MADE = {
    "ack": Ecpdu(Operation.ACK, VDP, 7),
    "port extender": Ecpdu(Operation.REQUEST, PE_CSP, 1, b"whatever"),
    "channel control": Ecpdu(Operation.REQUEST, CHANNEL_CONTROL, 0xFFFF, b"whatever"),
    "de-associate": request(replace(ASSOCIATE, command=Command.DE_ASSOCIATE)),
    "response": request(replace(ASSOCIATE, is_response=True, keep=True, error=ErrorCode.INVALID_FILTER)),
    "hint": request(replace(ASSOCIATE, hint=Hint.TO)),
    **{name: request(replace(ASSOCIATE, vsiid=vsiid)) for name, vsiid in VSIIDS.items()},
}
FRAMES = {name: pdu.frame(MAC) for name, pdu in MADE.items()} | read_samples("ecp.hex")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    capture = tmp_path_factory.mktemp("tshark") / "frames.pcap"
    return dict(zip(FRAMES, run_tshark(list(FRAMES.values()), capture), strict=True))


def run_tshark(frames: list[bytes], capture: Path) -> list[Row]:
    """One row a frame that the display filter `ecp21` lets through; it is to be all of them."""
    records = (struct.pack("!IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames)
    capture.write_bytes(struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 1) + b"".join(records))
    fields = [argument for name in FIELDS for argument in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), "-Y", "ecp21", "-T", "fields", "-E", "separator=|", "-E"]
    done = subprocess.run([*command, "occurrence=a", *fields], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    split = ([value.split(",") if value else [] for value in line.split("|")] for line in done.stdout.splitlines())
    return [dict(zip(FIELDS, values, strict=True)) for values in split]


def numbers(row: Row, *names: str) -> list[list[int]]:
    return [[int(value, 0) for value in row[name]] for name in names]


@pytest.mark.parametrize("name", FRAMES)
def test_tshark_reads_the_head_that_we_read(rows: dict[str, Row], name: str) -> None:
    pdu = Ecpdu.decode_frame(FRAMES[name])
    assert numbers(rows[name], *HEAD) == [[pdu.version], [pdu.operation], [pdu.subtype], [pdu.sequence]]


@pytest.mark.parametrize("name", [name for name in FRAMES if Ecpdu.decode_frame(FRAMES[name]).subtype == VDP])
def test_tshark_reads_the_tlvs_that_we_read(rows: dict[str, Row], name: str) -> None:
    tlvs = read_tlvs(Ecpdu.decode_frame(FRAMES[name]).payload)
    assert numbers(rows[name], *TLVS) == [[tlv.type for tlv in tlvs], [len(tlv.value) for tlv in tlvs]]


def vsi_of(name: str) -> VsiTlv | None:
    """The VSI that tshark looks into: of Assoc and De-Assoc."""
    pdu = Ecpdu.decode_frame(FRAMES[name])
    if pdu.subtype != VDP or pdu.operation is Operation.ACK:
        return None
    (vsi,) = Vdpdu.decode(pdu.payload).vsis
    return vsi if vsi.command in {Command.ASSOCIATE, Command.DE_ASSOCIATE} else None


@pytest.mark.parametrize("name", [name for name in FRAMES if vsi_of(name)])
def test_tshark_reads_the_type_and_the_vsiid_that_we_read(rows: dict[str, Row], name: str) -> None:
    vsi = vsi_of(name)
    assert vsi is not None
    type_id, version, format_ = numbers(rows[name], *VSI[:3])
    assert (type_id, version, format_) == ([vsi.type_id], [vsi.type_version], [vsi.vsiid.format])
    assert [value.replace(":", "") for value in rows[name]["vdp21.VSIID"]] == [vsi.vsiid.octets.hex()]


@pytest.mark.parametrize("name", [name for name in FRAMES if vsi_of(name)])
def test_tshark_reads_the_status_that_we_read(rows: dict[str, Row], name: str) -> None:
    vsi = vsi_of(name)
    assert vsi is not None
    shown = [[{"False": 0, "True": 1}.get(value, value) for value in rows[name][bit]] for bit in BITS]
    bits = [[int(value) for value in values] for values in shown]
    if vsi.is_response:
        assert bits == [[1], [], [], [vsi.hard], [vsi.keep]]
        assert numbers(rows[name], ERROR) == [[vsi.error]]
    else:
        assert bits == [[0], [bool(vsi.hint & Hint.TO)], [bool(vsi.hint & Hint.FROM)], [], []]


@pytest.mark.parametrize("name", [name for name in FRAMES if vsi_of(name)])
def test_tshark_reads_the_manager_that_we_read(rows: dict[str, Row], name: str) -> None:
    manager = Vdpdu.decode(Ecpdu.decode_frame(FRAMES[name]).payload).manager
    assert [IPv6Address(value).packed for value in rows[name][MANAGER]] == [manager.octets]
