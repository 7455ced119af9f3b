# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from openfex.protocol.ecp import EcpLink
from openfex.protocol.vdp_outbox import Outbox
from openfex.wire.ecp import VDP, Ecpdu, Operation
from openfex.wire.tlv import Tlv, read_tlvs
from openfex.wire.vdp import ManagerId
from openfex.wire.vsi import Vsiid
from tests.unit.protocol.vsis import SETTINGS, STATION_MAC, make_vsi, sent

ONE, TWO = ManagerId.text("one"), ManagerId.text("two")
A, B, C = (make_vsi(number).vsiid for number in (1, 2, 3))


def tlv(text: bytes) -> bytes:
    return Tlv(127, text).encode()


class Box:
    """An outbox and its link, which has every ECPDU acknowledged at once."""

    def __init__(self, payload: int = 1494, most: int = 100) -> None:
        self.link = EcpLink(VDP, STATION_MAC, SETTINGS)
        self.outbox = Outbox(self.link, payload, most)
        self.sequence = 0

    def pump(self) -> tuple[list[bytes], list[Vsiid]]:
        """The values of the TLVs sent, the manager's first, and whom they are about."""
        outputs, keys = self.outbox.pump(0.0)
        pdus = sent(outputs)
        for pdu in pdus:
            self.link.receive(Ecpdu(Operation.ACK, VDP, pdu.sequence), 0.0)
        return [one.value for pdu in pdus for one in read_tlvs(pdu.payload)], list(keys)


def test_what_waits_goes_out_together_behind_its_manager() -> None:
    box = Box()
    box.outbox.put(ONE, A, tlv(b"a"))
    box.outbox.put(ONE, B, tlv(b"b"))
    assert box.pump() == ([ONE.octets, b"a", b"b"], [A, B])
    assert box.pump() == ([], [])


def test_nothing_goes_out_while_an_ecpdu_is_on_the_wire() -> None:
    box = Box()
    box.link.send(b"busy", 0.0)
    box.outbox.put(ONE, A, tlv(b"a"))
    assert box.pump() == ([], [])
    box.link.receive(Ecpdu(Operation.ACK, VDP, 1), 0.0)
    assert box.pump() == ([ONE.octets, b"a"], [A])


def test_the_last_word_about_a_vsi_counts_whoever_its_manager_is() -> None:
    box = Box()
    box.outbox.put(ONE, A, tlv(b"old"))
    box.outbox.put(ONE, A, tlv(b"new"))
    assert box.pump() == ([ONE.octets, b"new"], [A])
    box.outbox.put(ONE, A, tlv(b"old"))
    box.outbox.put(TWO, A, tlv(b"new"))
    assert len(box.outbox) == 1
    assert box.pump() == ([TWO.octets, b"new"], [A])
    assert box.pump() == ([], [])


def test_what_is_discarded_is_not_said() -> None:
    box = Box()
    box.outbox.put(ONE, A, tlv(b"a"))
    box.outbox.put(ONE, B, tlv(b"b"))
    box.outbox.discard(A)
    box.outbox.discard(C)
    assert box.pump() == ([ONE.octets, b"b"], [B])
    box.outbox.put(ONE, A, tlv(b"a"))
    box.outbox.discard(A)
    assert box.pump() == ([], [])


def test_managers_take_turns_where_not_all_fits() -> None:
    box = Box(payload=18 + 2 * 4)
    for key, text in ((A, b"a1"), (B, b"b1"), (C, b"c1")):
        box.outbox.put(ONE, key, tlv(text))
    box.outbox.put(TWO, make_vsi(4).vsiid, tlv(b"d2"))
    assert [box.pump()[0][1:] for _ in range(3)] == [[b"a1", b"b1"], [b"d2"], [b"c1"]]


def test_what_is_longer_than_the_limit_goes_alone() -> None:
    box = Box(payload=30)
    box.outbox.put(ONE, A, tlv(b"x" * 100))
    box.outbox.put(ONE, B, tlv(b"b"))
    assert [box.pump()[1] for _ in range(2)] == [[A], [B]]


def test_too_many_are_dropped_and_counted_but_not_a_later_word() -> None:
    box = Box(most=2)
    for key in (A, B, C):
        box.outbox.put(ONE, key, tlv(b"old"))
    box.outbox.put(ONE, A, tlv(b"new"))
    assert box.outbox.dropped == 1
    assert box.pump() == ([ONE.octets, b"new", b"old"], [A, B])
