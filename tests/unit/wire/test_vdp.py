# SPDX-License-Identifier: Apache-2.0
"""The rules of wire.md 4.6, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import WireError
from openfex.model.values import BROADCAST, Mac
from openfex.wire.tlv import Tlv, read_tlvs, write_tlvs
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, FilterFormat, Vsiid

MAC = Mac.parse("52:00:00:11:22:33")
MANAGER = ManagerId.text("blabla")
VSI = VsiTlv(Command.ASSOCIATE, Vsiid.mac(MAC), 0x123456, 0x78, (Filter(200, MAC),))
RESPONSE = replace(VSI, is_response=True)


def as_tlv(vsi: VsiTlv) -> Tlv:
    (tlv,) = read_tlvs(vsi.encode())
    return tlv


def code_of(tlv: Tlv) -> str:
    with pytest.raises(WireError) as caught:
        VsiTlv.decode(tlv)
    return caught.value.code


@pytest.mark.parametrize(
    ("vsi", "status"),
    [
        (VSI, 0x00),
        (replace(VSI, hint=Hint.TO), 0x10),
        (replace(VSI, hint=Hint.FROM), 0x20),
        (replace(VSI, hint=Hint.TO | Hint.FROM), 0x30),
        (RESPONSE, 0x40),
        (replace(RESPONSE, keep=True), 0x60),
        (replace(RESPONSE, hard=True, error=ErrorCode.INVALID_FILTER), 0x55),
        (replace(RESPONSE, keep=True, hard=True, error=ErrorCode.OTHER), 0x74),
    ],
)
def test_the_status_octet_says_what_it_is(vsi: VsiTlv, status: int) -> None:
    assert as_tlv(vsi).value[0] == status
    assert VsiTlv.decode(as_tlv(vsi)) == vsi


@pytest.mark.parametrize("bits", [0x80, 0x01, 0x0F])
def test_bits_that_say_nothing_in_a_request_are_not_read(bits: int) -> None:
    value = as_tlv(VSI).value
    assert VsiTlv.decode(Tlv(3, bytes([bits]) + value[1:])) == VSI


@pytest.mark.parametrize("error", range(6, 16))
def test_an_error_without_a_name_is_another_one(error: int) -> None:
    value = as_tlv(VSI).value
    assert VsiTlv.decode(Tlv(3, bytes([0x40 | error]) + value[1:])).error is ErrorCode.OTHER


@pytest.mark.parametrize("command", Command)
def test_the_command_is_the_type(command: Command) -> None:
    tlv = as_tlv(replace(VSI, command=command))
    assert tlv.type == command.value
    assert VsiTlv.decode(tlv).command is command


def test_fields_stand_where_they_belong() -> None:
    assert as_tlv(VSI).value.hex() == "0012345678030000000000000000000052000011223302000152000011223300c8"


@pytest.mark.parametrize("change", [{"keep": True}, {"hard": True}, {"error": ErrorCode.OTHER}])
def test_a_request_has_no_verdict_and_a_response_no_hint(change: dict[str, object]) -> None:
    with pytest.raises(WireError) as caught:
        replace(VSI, **change)  # type: ignore[arg-type]
    assert caught.value.code == "status-conflict"
    with pytest.raises(WireError) as caught:
        replace(RESPONSE, hint=Hint.TO)
    assert caught.value.code == "status-conflict"


def test_filters_of_two_formats_are_refused() -> None:
    for filters, format_ in (((Filter(1), Filter(1, MAC)), None), ((Filter(1),), FilterFormat.MAC_VID)):
        with pytest.raises(WireError) as caught:
            replace(VSI, filters=filters, filter_format=format_)
        assert caught.value.code == "mixed-filters"


@pytest.mark.parametrize("format_", FilterFormat)
def test_no_filters_may_have_any_format(format_: FilterFormat) -> None:
    vsi = replace(VSI, filters=(), filter_format=format_)
    assert VsiTlv.decode(as_tlv(vsi)) == vsi
    assert len(as_tlv(vsi).value) == 25


@pytest.mark.parametrize("change", [{"type_id": 1 << 24}, {"type_version": 256}, {"type_id": -1}])
def test_what_does_not_fit_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(WireError) as caught:
        replace(VSI, **change)  # type: ignore[arg-type]
    assert caught.value.code == "field-out-of-range"


def test_more_filters_than_a_tlv_can_have_are_refused_when_they_are_written() -> None:
    full = replace(VSI, filters=VSI.filters * 60)
    assert VsiTlv.decode(as_tlv(full)) == full
    with pytest.raises(WireError):
        replace(VSI, filters=VSI.filters * 61).encode()


def test_a_tlv_that_is_not_what_it_says_is_refused() -> None:
    value = as_tlv(VSI).value
    assert code_of(Tlv(3, value[:24])) == "truncated-frame"
    assert code_of(Tlv(3, b"")) == "truncated-frame"
    assert code_of(Tlv(3, value + b"\0")) == "wrong-length"
    assert code_of(Tlv(3, value[:-1])) == "wrong-length"
    assert code_of(Tlv(3, value[:23] + b"\0\2" + value[25:])) == "wrong-length"
    assert code_of(Tlv(3, value[:23] + b"\xff\xff" + value[25:])) == "wrong-length"
    assert code_of(Tlv(3, value[:22] + b"\5" + value[23:])) == "unknown-format"
    assert code_of(Tlv(3, value[:22] + b"\0" + value[23:])) == "unknown-format"
    assert code_of(Tlv(3, value[:5] + b"\6" + value[6:])) == "unknown-format"
    assert code_of(Tlv(5, value)) == "unknown-type"


@pytest.mark.parametrize(
    ("filters", "fault"),
    [
        ((), ErrorCode.INVALID_FORMAT),
        ((Filter(4095),), ErrorCode.INVALID_FILTER),
        ((Filter(4094),), ErrorCode.SUCCESS),
        ((Filter(1),), ErrorCode.SUCCESS),
        ((Filter(0),), ErrorCode.SUCCESS),
        ((Filter(0), Filter(2)), ErrorCode.SUCCESS),
        ((Filter(0), Filter(0)), ErrorCode.INVALID_FILTER),
        ((Filter(0, MAC), Filter(0, MAC)), ErrorCode.SUCCESS),
        ((Filter(5, BROADCAST),), ErrorCode.INVALID_FILTER),
        ((Filter(5, group=1),), ErrorCode.SUCCESS),
    ],
)
def test_what_is_wrong_with_a_request_has_an_answer(filters: tuple[Filter, ...], fault: ErrorCode) -> None:
    vsi = replace(VSI, filters=filters, filter_format=None)
    assert vsi.fault() is fault
    assert replace(vsi, command=Command.DE_ASSOCIATE).fault() is ErrorCode.SUCCESS, "what leaves need not be right"


@pytest.mark.parametrize("filter_", [Filter(5, group=1), Filter(5, MAC, group=1)])
def test_a_group_needs_an_agreement(filter_: Filter) -> None:
    assert replace(VSI, filters=(filter_,), filter_format=None).fault(group_ids=False) is ErrorCode.INVALID_FILTER


def test_a_manager_is_text_with_zeros_behind_it_or_sixteen_octets() -> None:
    assert ManagerId.text("mgr1").octets == b"mgr1" + bytes(12)
    assert MANAGER.encode()[:2] == b"\x0a\x10"
    for wrong in (b"mgr1", b"seventeen octets!"):
        with pytest.raises(WireError):
            ManagerId(wrong)
    with pytest.raises(WireError):
        ManagerId.text("seventeen octets!")


def test_a_vdpdu_has_its_manager_first_and_many_vsis_behind() -> None:
    pdu = Vdpdu(MANAGER, (VSI, replace(VSI, command=Command.DE_ASSOCIATE), RESPONSE))
    assert Vdpdu.decode(pdu.encode()) == pdu
    assert [tlv.type for tlv in read_tlvs(pdu.encode())] == [5, 3, 4, 3]


def test_what_stands_behind_an_end_tlv_is_padding() -> None:
    octets = Vdpdu(MANAGER, (VSI,)).encode()
    assert Vdpdu.decode(octets + bytes(2)) == Vdpdu.decode(octets + bytes(2) + b"\xff") == Vdpdu(MANAGER, (VSI,))


@pytest.mark.parametrize("type_", [6, 42, 126, 127])
def test_tlvs_that_nobody_knows_are_passed_over(type_: int) -> None:
    unknown = Tlv(type_, b"\0\0\x0cwhatever")
    octets = MANAGER.encode() + unknown.encode() + VSI.encode() + unknown.encode()
    assert Vdpdu.decode(octets) == Vdpdu(MANAGER, (VSI,))


MANAGER_TLV = Tlv(5, MANAGER.octets)
BAD = {
    "nothing": (b"", "no-manager"),
    "padding alone": (bytes(42), "no-manager"),
    "no manager": (VSI.encode(), "no-manager"),
    "manager behind a VSI": (VSI.encode() + MANAGER.encode(), "no-manager"),
    "manager behind another TLV": (write_tlvs([Tlv(127, b"abc"), MANAGER_TLV]), "no-manager"),
    "two managers": (MANAGER.encode() * 2, "second-manager"),
    "short manager": (Tlv(5, b"mgr1").encode(), "wrong-length"),
    "bad VSI": (MANAGER.encode() + Tlv(3, b"").encode(), "truncated-frame"),
    "cut": (Vdpdu(MANAGER, (VSI,)).encode()[:-1], "truncated-frame"),
}


@pytest.mark.parametrize("name", BAD)
def test_octets_that_are_no_vdpdu_are_refused(name: str) -> None:
    octets, code = BAD[name]
    with pytest.raises(WireError) as caught:
        Vdpdu.decode(octets)
    assert caught.value.code == code
