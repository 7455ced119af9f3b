# SPDX-License-Identifier: Apache-2.0
"""LLDP frames of ours, read by tshark (who we are, and which TLVs) and by tcpdump (which reads EVB and CDCP, too)."""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import replace
from random import Random

import pytest

from openfex.model.values import Mac
from openfex.wire.cdcp import DEFAULT, Cdcp, CdcpRole, SChannel
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, RelayStatus, StationStatus
from openfex.wire.lldp import ChassisId, Lldpdu, PortId, system_name
from openfex.wire.tlv import NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE, NEAREST_NON_TPMR_BRIDGE

pytestmark = pytest.mark.interop

MAC, CHASSIS = Mac.parse("52:54:00:aa:00:01"), Mac.parse("52:54:00:aa:00:fe")
SCOPES = (NEAREST_BRIDGE, NEAREST_NON_TPMR_BRIDGE, NEAREST_CUSTOMER_BRIDGE)
TSHARK_FIELDS = (
    *("eth.dst", "eth.src", "eth.type", "lldp.chassis.subtype", "lldp.chassis.id.mac", "lldp.port.subtype"),
    *("lldp.port.id.mac", "lldp.port.id", "lldp.time_to_live", "lldp.tlv.system.name", "lldp.tlv.type", "lldp.tlv.len"),
    *("lldp.orgtlv.oui", "lldp.ieee.802_1.subtype"),
)
# In the order of tcpdump's words.
BRIDGE_FIELDS, STATION_FIELDS = ("BGID", "RRCAP", "RRCTR"), ("SGID", "RRREQ", "RRSTAT")


def made_evb(random: Random) -> Evb:
    def flag() -> bool:
        return random.random() < 0.5

    bridge, station = BridgeStatus(flag(), flag(), flag()), StationStatus(flag(), random.choice([*RelayStatus]), flag())
    rte, rwd, rka = (random.randrange(32) for _ in range(3))
    mode, retries = random.choice([*EvbMode]), random.randrange(8)
    return Evb(mode, bridge, station, retries, rte, rwd, rka, flag(), flag())


def made_cdcp(random: Random) -> Cdcp:
    channels = tuple(
        SChannel(random.randrange(4096), random.randrange(4096)) for _ in range(random.choice([0, 1, 5, 166]))
    )
    return Cdcp(random.choice([*CdcpRole]), (DEFAULT, *channels), random.randrange(4096), random.random() < 0.5)


def made() -> list[tuple[Evb, Cdcp]]:
    """Each field alone at its most, then many with all fields at random, always the same."""
    empty = Evb(EvbMode.NOT_SUPPORTED, retries=0, rte=0, rwd=0, rka=0)
    single = [
        replace(empty, bridge=BridgeStatus(rrcap=True)),
        replace(empty, bridge=BridgeStatus(rrctr=True)),
        replace(empty, bridge=BridgeStatus(bgid=True)),
        replace(empty, station=StationStatus(rrreq=True)),
        replace(empty, station=StationStatus(rrstat=RelayStatus.UNKNOWN)),
        replace(empty, station=StationStatus(sgid=True)),
        *(replace(empty, mode=mode) for mode in EvbMode),
        replace(empty, retries=7),
        replace(empty, rte=31),
        replace(empty, rwd=31),
        replace(empty, rka=31),
        replace(empty, rwd_remote=True),
        replace(empty, rka_remote=True),
    ]
    random = Random(8021)
    return [(evb, made_cdcp(random)) for evb in single] + [(made_evb(random), made_cdcp(random)) for _ in range(40)]


SAID = made()


def lldpdu_of(number: int) -> Lldpdu:
    evb, cdcp = SAID[number]
    port = PortId.of_interface(f"enp{number}s0") if number % 2 else PortId.of_mac(MAC)
    return Lldpdu(
        ChassisId.of_mac(CHASSIS), port, 1000 + number, (system_name(f"host-{number}"), evb.tlv(), cdcp.tlv())
    )


def read_by(*command: str) -> str:
    """What a decoder says; it gets the capture on standard input, for tcpdump reads no file that is root's alone."""
    frames = [lldpdu_of(number).frame(SCOPES[number % 3], MAC) for number in range(len(SAID))]
    records = (struct.pack("!IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames)
    capture = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 1) + b"".join(records)
    done = subprocess.run([*command, "-r", "-"], input=capture, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.fixture(scope="module")
def tshark_rows() -> list[dict[str, str]]:
    fields = [argument for name in TSHARK_FIELDS for argument in ("-e", name)]
    said = read_by("tshark", "-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", *fields)
    return [dict(zip(TSHARK_FIELDS, line.split("|"), strict=True)) for line in said.splitlines()]


@pytest.fixture(scope="module")
def tcpdump_texts() -> list[str]:
    said = read_by("tcpdump", "-n", "-e", "-vvv")
    return re.split(r"^(?=\d\d:\d\d:\d\d\.)", said, flags=re.MULTILINE)[1:]


def test_both_decoders_saw_every_frame(tshark_rows: list[dict[str, str]], tcpdump_texts: list[str]) -> None:
    assert len(tshark_rows) == len(tcpdump_texts) == len(SAID)


@pytest.mark.parametrize("number", range(len(SAID)))
def test_tshark_reads_who_we_are_and_which_tlvs(tshark_rows: list[dict[str, str]], number: int) -> None:
    row, named = tshark_rows[number], number % 2
    assert (row["eth.dst"], row["eth.src"], int(row["eth.type"], 0)) == (str(SCOPES[number % 3]), str(MAC), 0x88CC)
    assert (row["lldp.chassis.subtype"], row["lldp.chassis.id.mac"]) == ("4", str(CHASSIS))
    assert row["lldp.port.subtype"] == ("5" if named else "3")
    assert row["lldp.port.id" if named else "lldp.port.id.mac"] == (f"enp{number}s0" if named else str(MAC))
    assert (row["lldp.time_to_live"], row["lldp.tlv.system.name"]) == (str(1000 + number), f"host-{number}")
    assert row["lldp.tlv.type"] == "1,2,3,5,127,127,0"
    assert row["lldp.tlv.len"].split(",")[4:] == ["9", str(8 + 3 * len(SAID[number][1].channels)), "0"]
    assert [int(oui, 0) for oui in row["lldp.orgtlv.oui"].split(",")] == [0x0080C2] * 2
    assert [int(subtype, 0) for subtype in row["lldp.ieee.802_1.subtype"].split(",")] == [0x0D, 0x0E]


def numbers_of(text: str, *names: str) -> list[int]:
    """The numbers that tcpdump gives these names, in order of its text: it says some names twice."""
    return [int(number) for number in re.findall(rf"\b(?:{'|'.join(names)}): (\d+)", text)]


@pytest.mark.parametrize("number", range(len(SAID)))
def test_tcpdump_reads_who_we_are(tcpdump_texts: list[str], number: int) -> None:
    text = tcpdump_texts[number]
    port = f"Interface Name (5): enp{number}s0" if number % 2 else f"MAC address (3): {MAC}"
    assert f"{MAC} > {SCOPES[number % 3]}, ethertype LLDP (0x88cc)" in text
    for wanted in (
        f"MAC address (4): {CHASSIS}",
        port,
        f"TTL {1000 + number}s",
        f"length {len(f'host-{number}')}: host",
    ):
        assert wanted in text
    assert text.rstrip().endswith("End TLV (0), length 0")


@pytest.mark.parametrize("number", range(len(SAID)))
def test_tcpdump_reads_evb_as_it_was_meant(tcpdump_texts: list[str], number: int) -> None:
    evb, text = SAID[number][0], tcpdump_texts[number]
    bridge, station = evb.bridge, evb.station
    assert numbers_of(text, *BRIDGE_FIELDS) == [bridge.bgid, bridge.rrcap, bridge.rrctr]
    assert numbers_of(text, *STATION_FIELDS) == [station.sgid, station.rrreq, station.rrstat]
    assert numbers_of(text, "R", "RTE", "ROL", "RWD", "RKA") == [
        *(evb.retries, evb.rte, evb.rwd_remote, evb.rwd, evb.rka_remote, evb.rka)
    ]
    mode = re.search(r"EVB Mode: [\w ]+\[(\d)\]", text)
    assert mode is not None
    assert int(mode[1]) == evb.mode
    assert set(numbers_of(text, "RES")) == {0}


@pytest.mark.parametrize("number", range(len(SAID)))
def test_tcpdump_reads_cdcp_as_it_was_meant(tcpdump_texts: list[str], number: int) -> None:
    cdcp, text = SAID[number][1], tcpdump_texts[number]
    assert numbers_of(text, "Role", "Scomp", "ChnCap") == [cdcp.role, cdcp.s_component, cdcp.capacity]
    scids, svids = numbers_of(text, "SCID"), numbers_of(text, "SVID")
    assert tuple(zip(scids, svids, strict=True)) == cdcp.channels
