# SPDX-License-Identifier: Apache-2.0
"""What we write and read, read by Wireshark's dissectors: the samples, and frames of our own, in one run of tshark.

Where tshark does not say (4.0 shows no ethertype behind an S-tag, and no fields of a payload that it does not know),
the name of the dissector that took over tells the ethertype.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from openfex.model.values import BROADCAST, Mac
from openfex.wire import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETag,
    Frame,
    Tag,
    VlanTag,
    VnTag,
    arp_reply,
    arp_request,
    ipv4_icmp,
    ipv4_tcp,
    ipv4_udp,
    ipv6_icmp,
    ipv6_tcp,
    ipv6_udp,
)
from tests.unit.wire.samples import read_samples

pytestmark = pytest.mark.interop

Row = Mapping[str, list[str]]

MAC_1, MAC_2 = Mac.parse("52:54:00:00:0a:01"), Mac.parse("52:54:00:00:0b:02")
A4, B4 = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
A6, B6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
ARP = arp_request(MAC_1, A4, BROADCAST, B4)

# Each dissector's fields: first the tag's own, in the order of our constructors below, then what follows the tag.
VNTAG = ("vntag.dir", "vntag.ptr", "vntag.dst", "vntag.looped", "vntag.src", "vntag.r", "vntag.version")
ETAG = (
    "etag.ecid_ext",
    "etag.ecid_base",
    "etag.group",
    "etag.iecid_ext",
    "etag.iecid_base",
    "etag.pcp",
    "etag.dei",
    "etag.resv",
)
CTAG = ("vlan.id", "vlan.priority", "vlan.dei")
STAG = ("ieee8021ad.id", "ieee8021ad.priority", "ieee8021ad.dei")
FOLLOWING = {
    "eth": ("eth.type", "eth.len"),
    "vntag": ("vntag.etype", "vntag.len"),
    "etag": ("etag.etype",),
    "vlan": ("vlan.etype", "vlan.len"),
    "ieee8021ad": (),
}
CHECKSUMS = (
    "ip.checksum.status",
    "udp.checksum.status",
    "tcp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
)
ARP_FIELDS = ("arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4")
V4_FIELDS = ("ip.src", "ip.dst", "ip.ttl")
V6_FIELDS = ("ipv6.src", "ipv6.dst", "ipv6.hlim")
UDP_FIELDS = ("udp.srcport", "udp.dstport")
TCP_FIELDS = ("tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.payload")
FIELDS = (
    *("frame.protocols", "eth.dst", "eth.src", "data.data"),
    *(*VNTAG, *ETAG, *CTAG, *STAG),
    *(name for names in FOLLOWING.values() for name in names),
    *(*CHECKSUMS, *ARP_FIELDS, *V4_FIELDS, *V6_FIELDS, *UDP_FIELDS, *TCP_FIELDS),
)
ETHERTYPE_OF = {"arp": ETHERTYPE_ARP, "ip": ETHERTYPE_IPV4, "ipv6": ETHERTYPE_IPV6}


def tagged(*tags: Tag) -> Frame:
    return Frame(BROADCAST, MAC_1, ETHERTYPE_ARP, ARP, tags)


FULL_VNTAG = VnTag(1, 1, 0x3FFF, 1, 0xFFF, 1, 3)
FULL_ETAG = ETag(0xFFFFF, 3, 0xFFFFF, 7, 1, 3)
EVERY_VNTAG = VnTag(direction=1, dvif=0x2ABC, svif=0xDEF, reserved=1, version=2)
EVERY_ETAG = ETag(0x12345, grp=1, ingress=0x6789A, pcp=5, dei=1, reserved=2)
MADE = {
    "untagged": tagged(),
    "untagged, no payload tshark knows": Frame(MAC_2, MAC_1, 0x88B5, b"\1\2\3"),
    "VN-Tag, empty": tagged(VnTag()),
    "VN-Tag, direction": tagged(VnTag(direction=1)),
    "VN-Tag, pointer": tagged(VnTag(pointer=1)),
    "VN-Tag, dvif": tagged(VnTag(dvif=0x3FFF)),
    "VN-Tag, looped": tagged(VnTag(looped=1)),
    "VN-Tag, svif": tagged(VnTag(svif=0xFFF)),
    "VN-Tag, reserved": tagged(VnTag(reserved=1)),
    "VN-Tag, version": tagged(VnTag(version=3)),
    "VN-Tag, full": tagged(FULL_VNTAG),
    "VN-Tag, every field": tagged(EVERY_VNTAG),
    "VN-Tag, low bits": tagged(VnTag(dvif=1, svif=1, version=1)),
    "VN-Tag, high bits": tagged(VnTag(dvif=0x2000, svif=0x800, version=2)),
    "VN-Tag, opaque payload": Frame(MAC_2, MAC_1, 0x88B5, bytes(range(200)), (VnTag(svif=7),)),
    "VN-Tag, C-tag": tagged(VnTag(svif=4094), VlanTag(4094, pcp=7)),
    "VN-Tag, priority tag": tagged(VnTag(svif=1), VlanTag(0, pcp=6)),
    "E-Tag, empty": tagged(ETag(0)),
    "E-Tag, ecid base": tagged(ETag(0xFFF)),
    "E-Tag, ecid ext": tagged(ETag(0xFF000)),
    "E-Tag, grp": tagged(ETag(0, grp=3)),
    "E-Tag, ingress base": tagged(ETag(0, ingress=0xFFF)),
    "E-Tag, ingress ext": tagged(ETag(0, ingress=0xFF000)),
    "E-Tag, pcp": tagged(ETag(0, pcp=7)),
    "E-Tag, dei": tagged(ETag(0, dei=1)),
    "E-Tag, reserved": tagged(ETag(0, reserved=3)),
    "E-Tag, full": tagged(FULL_ETAG),
    "E-Tag, every field": tagged(EVERY_ETAG),
    "E-Tag, opaque payload": Frame(MAC_2, MAC_1, 0x88B5, bytes(range(200)), (ETag(4094),)),
    "E-Tag, C-tag": tagged(ETag(4094), VlanTag(4094, pcp=7)),
    "E-Tag, S-tag, C-tag": tagged(ETag(1, grp=1), VlanTag(2, pcp=1, tpid=0x88A8), VlanTag(3, pcp=2)),
    "C-tag, empty": tagged(VlanTag(0)),
    "C-tag, full": tagged(VlanTag(0xFFF, pcp=7, dei=1)),
    "C-tag, dei": tagged(VlanTag(1, dei=1)),
    "S-tag, empty": tagged(VlanTag(0, tpid=0x88A8)),
    "S-tag, full": tagged(VlanTag(0xFFF, pcp=7, dei=1, tpid=0x88A8)),
    "S-tag, C-tag": tagged(VlanTag(0xABC, pcp=2, dei=1, tpid=0x88A8), VlanTag(0x123, pcp=5)),
    "C-tag, S-tag": tagged(VlanTag(0x123, pcp=5), VlanTag(0xABC, pcp=2, dei=1, tpid=0x88A8)),
    "eight C-tags": tagged(*(VlanTag(vid) for vid in range(8))),
    "VN-Tag in E-Tag": tagged(EVERY_ETAG, EVERY_VNTAG),
    "E-Tag in VN-Tag": tagged(EVERY_VNTAG, EVERY_ETAG),
    "VN-Tag in VN-Tag": tagged(EVERY_VNTAG, VnTag(svif=9)),
    "E-Tag in E-Tag": tagged(EVERY_ETAG, ETag(9)),
    "all kinds, twice": tagged(*2 * (EVERY_VNTAG, EVERY_ETAG, VlanTag(1), VlanTag(2, tpid=0x88A8))),
    "802.3 length": Frame(MAC_2, MAC_1, 38, b"BB\3" + bytes(35)),
    "802.3 length, C-tag": Frame(MAC_2, MAC_1, 38, b"BB\3" + bytes(35), (VlanTag(5),)),
    "802.3 length, VN-Tag": Frame(MAC_2, MAC_1, 38, b"BB\3" + bytes(35), (VnTag(svif=5),)),
    "802.3 length, E-Tag": Frame(MAC_2, MAC_1, 38, b"BB\3" + bytes(35), (ETag(5),)),
    "no payload": Frame(MAC_2, MAC_1, 0x88B5, b"", (VnTag(svif=5),)),
}
IP = {
    "ICMP": Frame(MAC_2, MAC_1, ETHERTYPE_IPV4, ipv4_icmp(A4, B4, 8, 0, bytes(4) + b"odd")),
    "ICMPv6": Frame(MAC_2, MAC_1, ETHERTYPE_IPV6, ipv6_icmp(A6, B6, 128, 0, bytes(4) + b"odd")),
    "UDP in IPv4": Frame(MAC_2, MAC_1, ETHERTYPE_IPV4, ipv4_udp(A4, B4, 40000, 40001, b"even"), (VnTag(svif=1),)),
    "UDP in IPv4, odd": Frame(MAC_2, MAC_1, ETHERTYPE_IPV4, ipv4_udp(A4, B4, 40000, 40001, b"odd", ttl=1)),
    "UDP in IPv4, long": Frame(MAC_2, MAC_1, ETHERTYPE_IPV4, ipv4_udp(A4, B4, 65535, 65535, b"\xff" * 9000)),
    "UDP in IPv6": Frame(MAC_2, MAC_1, ETHERTYPE_IPV6, ipv6_udp(A6, B6, 40000, 40001, b"even"), (ETag(1),)),
    "UDP in IPv6, odd": Frame(MAC_2, MAC_1, ETHERTYPE_IPV6, ipv6_udp(A6, B6, 40000, 40001, b"odd", ttl=255)),
    "UDP in IPv6, empty": Frame(MAC_2, MAC_1, ETHERTYPE_IPV6, ipv6_udp(A6, B6, 40000, 40001, b"")),
    "TCP in IPv4": Frame(MAC_2, MAC_1, ETHERTYPE_IPV4, ipv4_tcp(A4, B4, 40002, 40003, 1, 2, 0x18, b"odd")),
    "TCP in IPv4, SYN": Frame(MAC_2, MAC_1, ETHERTYPE_IPV4, ipv4_tcp(A4, B4, 40004, 40005, 0, 0, 2, b"")),
    "TCP in IPv6": Frame(MAC_2, MAC_1, ETHERTYPE_IPV6, ipv6_tcp(A6, B6, 40002, 40003, 1, 2, 0x18, b"odd")),
    "TCP in IPv6, long": Frame(MAC_2, MAC_1, ETHERTYPE_IPV6, ipv6_tcp(A6, B6, 40006, 40007, 1, 2, 16, bytes(65000))),
}
REPLY = Frame(MAC_1, MAC_2, ETHERTYPE_ARP, arp_reply(MAC_2, B4, MAC_1, A4))
SAMPLES = read_samples()


def run_tshark(frames: list[bytes], folder: Path) -> list[Row]:
    """One row a frame: each field's values in the order of their appearance."""
    capture = folder / "frames.pcap"
    records = (struct.pack("!IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames)
    capture.write_bytes(struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 1) + b"".join(records))
    checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "udp", "tcp")]
    fields = [argument for name in FIELDS for argument in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), *checks, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    done = subprocess.run([*command, *fields], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(frames)
    split = ([value.split(",") if value else [] for value in line.split("|")] for line in lines)
    return [dict(zip(FIELDS, values, strict=True)) for values in split]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    octets = {name: frame.encode() for name, frame in {**MADE, **IP, "reply": REPLY}.items()} | SAMPLES
    return dict(zip(octets, run_tshark(list(octets.values()), tmp_path_factory.mktemp("tshark")), strict=True))


def number(value: str) -> int:
    """A number as tshark prints it; newer ones print booleans as words."""
    return {"False": 0, "True": 1}[value] if value in ("False", "True") else int(value, 0)


def read_tag(kind: str, values: Mapping[str, Iterator[str]]) -> Tag:
    """The next tag of this kind."""
    names = {"vntag": VNTAG, "etag": ETAG, "vlan": CTAG, "ieee8021ad": STAG}[kind]
    numbers = [number(next(values[name])) for name in names]
    if kind == "vntag":
        return VnTag(*numbers)
    if kind == "etag":
        ecid_ext, ecid_base, grp, ingress_ext, ingress_base, *rest = numbers
        return ETag(ecid_ext << 12 | ecid_base, grp, ingress_ext << 12 | ingress_base, *rest)
    vid, pcp, dei = numbers
    return VlanTag(vid, pcp, dei, tpid=0x8100 if kind == "vlan" else 0x88A8)


def read_headers(row: Row) -> tuple[str, str, tuple[Tag, ...], int]:
    """Addresses, tags and ethertype, put together from what tshark says."""
    layers = row["frame.protocols"][0].replace(":ethertype", "").split(":")
    depth = next((at for at, layer in enumerate(layers) if layer not in FOLLOWING), len(layers))
    values = {name: iter(found) for name, found in row.items()}
    tags = tuple(read_tag(kind, values) for kind in layers[1:depth])
    following = [found for name in FOLLOWING[layers[depth - 1]] for found in row[name][-1:]]
    ethertype = number(following[-1]) if following else ETHERTYPE_OF[layers[depth]]
    return row["eth.dst"][0], row["eth.src"][0], tags, ethertype


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_read_by_us_as_by_tshark(rows: dict[str, Row], name: str) -> None:
    frame = Frame.decode(SAMPLES[name])

    assert read_headers(rows[name]) == (str(frame.dst), str(frame.src), frame.tags, frame.ethertype)
    assert [number(value) for value in rows[name]["arp.opcode"]] == [frame.payload[7]]


@pytest.mark.parametrize("name", MADE | IP)
def test_a_frame_of_ours_is_read_by_tshark_and_by_us_as_it_was_meant(rows: dict[str, Row], name: str) -> None:
    frame = (MADE | IP)[name]

    assert Frame.decode(frame.encode()) == frame
    assert read_headers(rows[name]) == (str(frame.dst), str(frame.src), frame.tags, frame.ethertype)


@pytest.mark.parametrize("name", [name for name, frame in MADE.items() if frame.ethertype == 0x88B5])
def test_an_opaque_payload_is_whole(rows: dict[str, Row], name: str) -> None:
    assert "".join(rows[name]["data.data"]) == MADE[name].payload.hex()


def content(row: Row, *fields: str) -> str:
    """The values of these fields, each of which must be there once."""
    return " ".join(value for field in fields for (value,) in [row[field]])


def test_payloads_are_read_as_they_were_meant(rows: dict[str, Row]) -> None:
    assert content(rows["untagged"], *ARP_FIELDS) == f"1 {MAC_1} {A4} {BROADCAST} {B4}"
    assert content(rows["reply"], *ARP_FIELDS) == f"2 {MAC_2} {B4} {MAC_1} {A4}"
    assert content(rows["UDP in IPv4"], *V4_FIELDS, *UDP_FIELDS, "data.data") == f"{A4} {B4} 64 40000 40001 6576656e"
    assert content(rows["UDP in IPv4, odd"], *V4_FIELDS) == f"{A4} {B4} 1"
    assert (
        content(rows["UDP in IPv6, odd"], *V6_FIELDS, *UDP_FIELDS, "data.data") == f"{A6} {B6} 255 40000 40001 6f6464"
    )
    assert content(rows["TCP in IPv4"], *V4_FIELDS, *TCP_FIELDS) == f"{A4} {B4} 64 40002 40003 1 2 0x0018 6f6464"
    assert content(rows["TCP in IPv6"], *V6_FIELDS, *TCP_FIELDS) == f"{A6} {B6} 64 40002 40003 1 2 0x0018 6f6464"


@pytest.mark.parametrize("name", IP)
def test_checksums_are_found_good(rows: dict[str, Row], name: str) -> None:
    good = {"UDP in IPv4": "1-1---", "UDP in IPv6": "-1---", "TCP in IPv4": "1--1--", "TCP in IPv6": "--1--"}
    good |= {"ICMP": "1---1-", "ICMPv6": "----1"}
    assert "-".join("".join(rows[name][field]) for field in CHECKSUMS) == good[name.partition(",")[0]]
