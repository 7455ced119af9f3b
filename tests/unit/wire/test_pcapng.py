# SPDX-License-Identifier: Apache-2.0
"""Blocks of pcapng, octet by octet as draft-ietf-opsawg-pcapng draws them; tests/interop asks tshark."""

from __future__ import annotations

import struct

import pytest

from openfex.wire.pcapng import Packet, enhanced_packet, interface_description, interface_statistics, section_header

TIME_NS = 0x17_1234_5678_9ABC_DE


def test_a_section_begins_with_the_byte_order() -> None:
    block = bytes.fromhex("0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffffffffffff 0400 0700 6f70656e66657800 00000000")
    assert section_header("openfex") == block + bytes.fromhex("2c000000")


def test_an_interface_has_a_name_and_counts_nanoseconds() -> None:
    head = bytes.fromhex("01000000 34000000 0100 0000 40000000")
    name, what = bytes.fromhex("0200 0600") + b"sw/up0" + bytes(2), bytes.fromhex("0300 0300") + b"lab" + bytes(1)
    options = name + what + bytes.fromhex("0900 0100 09000000") + bytes(4)
    assert interface_description("sw/up0", "lab", 64) == head + options + bytes.fromhex("34000000")


@pytest.mark.parametrize(("outbound", "flags"), [(False, "01000000"), (True, "02000000")])
def test_a_packet_says_how_long_it_was_which_way_it_went_and_why(outbound: bool, flags: str) -> None:
    block = enhanced_packet(Packet(3, TIME_NS, b"12345", 1514, outbound, "dropped"))
    head = bytes.fromhex("06000000 40000000 03000000") + struct.pack("<II", TIME_NS >> 32, TIME_NS & 0xFFFFFFFF)
    octets = bytes.fromhex("05000000 ea050000") + b"12345" + bytes(3)
    options = bytes.fromhex("0100 0700") + b"dropped" + bytes(1) + bytes.fromhex("0200 0400" + flags) + bytes(4)
    assert block == head + octets + options + bytes.fromhex("40000000")


def test_a_comment_may_be_missing() -> None:
    block = enhanced_packet(Packet(0, TIME_NS, b"1234", 4, False))
    assert block[32:] == bytes.fromhex("0200 0400 01000000 00000000 30000000")


def test_statistics_say_what_was_lost() -> None:
    block = interface_statistics(1, TIME_NS, 5)
    assert block[:12] == bytes.fromhex("05000000 28000000 01000000")
    assert block[20:] == bytes.fromhex("0700 0800 0500000000000000 00000000 28000000")


@pytest.mark.parametrize("length", range(8))
def test_blocks_are_multiples_of_four_octets(length: int) -> None:
    block = enhanced_packet(Packet(0, TIME_NS, bytes(length), length, True, "c" * length))
    size = len(block)
    assert size % 4 == 0
    assert block[4:8] == block[-4:] == struct.pack("<I", size)
