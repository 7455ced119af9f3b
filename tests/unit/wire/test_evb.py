# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, RelayStatus, StationStatus
from openfex.wire.lldp import IEEE_8021, organization_octets


def octets_of(evb: Evb) -> str:
    octets = organization_octets(evb.tlv(), IEEE_8021, Evb.SUBTYPE)
    assert octets is not None
    return octets.hex()


EMPTY = Evb(EvbMode.NOT_SUPPORTED, retries=0, rte=0, rwd=0, rka=0)


@pytest.mark.parametrize(
    ("evb", "octets"),
    [
        (EMPTY, "0000000000"),
        (Evb(EvbMode.RESERVED, retries=0, rte=0, rwd=0, rka=0), "000000c000"),
        (Evb(EvbMode.BRIDGE, BridgeStatus(bgid=True), retries=0, rte=0, rwd=0, rka=0), "0400004000"),
        (Evb(EvbMode.BRIDGE, BridgeStatus(rrcap=True), retries=0, rte=0, rwd=0, rka=0), "0200004000"),
        (Evb(EvbMode.BRIDGE, BridgeStatus(rrctr=True), retries=0, rte=0, rwd=0, rka=0), "0100004000"),
        (Evb(EvbMode.STATION, station=StationStatus(sgid=True), retries=0, rte=0, rwd=0, rka=0), "0008008000"),
        (Evb(EvbMode.STATION, station=StationStatus(rrreq=True), retries=5, rte=3, rwd=9, rka=17), "0004a38911"),
        (Evb(EvbMode.STATION, station=StationStatus(rrstat=RelayStatus.RESERVED), rwd_remote=True), "00026eb414"),
        (Evb(EvbMode.STATION, rka_remote=True), "00006e9434"),
    ],
)
def test_each_field_has_its_bits(evb: Evb, octets: str) -> None:
    assert octets_of(evb) == octets
    assert Evb.decode(bytes.fromhex(octets)) == evb


def test_reserved_bits_and_further_octets_are_ignored() -> None:
    assert Evb.decode(bytes.fromhex("f8f00000c0ffff")) == EMPTY


def test_a_short_tlv_is_none() -> None:
    with pytest.raises(WireError) as caught:
        Evb.decode(bytes(4))
    assert caught.value.code == "truncated-frame"


@pytest.mark.parametrize(("name", "most"), [("retries", 7), ("rte", 31), ("rwd", 31), ("rka", 31)])
def test_a_number_that_does_not_fit_is_refused(name: str, most: int) -> None:
    assert getattr(Evb(EvbMode.BRIDGE, **{name: most}), name) == most  # type: ignore[arg-type]
    with pytest.raises(WireError, match=f"{name} is {most + 1}"):
        Evb(EvbMode.BRIDGE, **{name: most + 1})  # type: ignore[arg-type]
