# SPDX-License-Identifier: Apache-2.0
"""Virtio-net headers, and VLAN tags that the kernel keeps beside the octets."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import WireError
from openfex.linux.packet import _tag_beside
from openfex.linux.vnet import NEEDS_CHECKSUM, PLAIN, GsoType, VnetHeader

WORD = st.integers(0, 0xFFFF)
OCTET = st.integers(0, 0xFF)
SOL_PACKET, AUXDATA = 263, 8


@given(st.builds(VnetHeader, OCTET, OCTET, WORD, WORD, WORD, WORD))
def test_a_header_comes_back(header: VnetHeader) -> None:
    assert VnetHeader.decode(header.encode() + b"the frame") == header


@given(st.binary(max_size=9))
def test_a_short_header_is_refused(octets: bytes) -> None:
    with pytest.raises(WireError):
        VnetHeader.decode(octets)


def test_a_tag_put_back_moves_what_points_behind_it() -> None:
    header = VnetHeader(NEEDS_CHECKSUM, GsoType.TCPV4, 54, 1448, checksum_start=34, checksum_offset=16)
    moved = header.shifted(4)
    assert (moved.header_length, moved.checksum_start, moved.checksum_offset, moved.gso_size) == (58, 38, 16, 1448)
    assert PLAIN.shifted(4) == PLAIN


@pytest.mark.parametrize(
    ("status", "tpid", "tag"),
    [
        (0, 0, b""),
        (1 << 4, 0, b"\x81\x00\x20\x0a"),
        (1 << 4 | 1 << 6, 0x88A8, b"\x88\xa8\x20\x0a"),
    ],
)
def test_the_tag_beside_a_frame_is_told(status: int, tpid: int, tag: bytes) -> None:
    payload = struct.pack("=IIIHHHH", status, 60, 60, 0, 14, 0x200A, tpid)
    assert _tag_beside([(1, 2, b"other"), (SOL_PACKET, AUXDATA, payload)]) == tag
