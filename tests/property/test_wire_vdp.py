# SPDX-License-Identifier: Apache-2.0
"""ECP's and VDP's octets and values stand for each other; any octets are a value or a WireError."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.ecp import Ecpdu, Operation
from openfex.wire.tlv import Tlv, write_tlvs
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, FilterFormat, Vsiid, VsiidFormat, fill_vids


def bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


def outcome(octets: bytes) -> bytes | str:
    """What an ECPDU that was read is written as, or the code of the refusal."""
    try:
        return Ecpdu.decode(octets).encode()
    except WireError as error:
        return error.code


def sixteen() -> st.SearchStrategy[bytes]:
    return st.binary(min_size=16, max_size=16)


macs = st.binary(min_size=6, max_size=6).map(Mac)
ecpdus = st.builds(
    Ecpdu,
    operation=st.sampled_from(Operation),
    subtype=bits(10),
    sequence=bits(16),
    payload=st.binary(max_size=80),
    version=bits(4),
)


@st.composite
def filters(draw: st.DrawFn, format_: FilterFormat) -> Filter:
    mac = draw(macs) if format_.has_mac else None
    group = draw(bits(32)) if format_.has_group else None
    return Filter(draw(bits(12)), mac, group, draw(st.none() | bits(3)))


@st.composite
def vsis(draw: st.DrawFn) -> VsiTlv:
    format_ = draw(st.sampled_from(FilterFormat))
    is_response = draw(st.booleans())
    return VsiTlv(
        draw(st.sampled_from(Command)),
        Vsiid(draw(st.sampled_from(VsiidFormat)), draw(sixteen())),
        draw(bits(24)),
        draw(bits(8)),
        tuple(draw(st.lists(filters(format_), max_size=5))),
        format_,
        hint=Hint.NONE if is_response else Hint(draw(st.sampled_from((0, 0x10, 0x20, 0x30)))),
        is_response=is_response,
        keep=is_response and draw(st.booleans()),
        hard=is_response and draw(st.booleans()),
        error=draw(st.sampled_from(ErrorCode)) if is_response else ErrorCode.SUCCESS,
    )


vdpdus = st.builds(Vdpdu, manager=sixteen().map(ManagerId), vsis=st.lists(vsis(), max_size=4).map(tuple))


@given(ecpdus)
def test_an_ecpdu_reads_back(pdu: Ecpdu) -> None:
    assert Ecpdu.decode(pdu.encode()) == pdu


@given(st.binary(max_size=40))
def test_octets_are_no_ecpdu_or_written_back_as_they_were(octets: bytes) -> None:
    assert outcome(octets) in (octets, "truncated-frame", "unknown-operation")


@given(vdpdus)
def test_a_vdpdu_reads_back(pdu: Vdpdu) -> None:
    assert Vdpdu.decode(pdu.encode()) == pdu


@given(vdpdus, st.data())
def test_a_vdpdu_with_wrong_octets_is_another_one_or_refused(pdu: Vdpdu, data: st.DataObject) -> None:
    octets = bytearray(pdu.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(bits(8))
    cut = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    for wrong in (bytes(octets), cut):
        try:
            found = Vdpdu.decode(wrong)
        except WireError:
            continue
        assert Vdpdu.decode(found.encode()) == found


@given(st.lists(st.builds(Tlv, st.sampled_from((1, 2, 3, 4, 5, 127)), st.binary(max_size=60)), max_size=4))
def test_any_tlvs_are_a_vdpdu_or_refused(tlvs: list[Tlv]) -> None:
    for octets in (write_tlvs(tlvs), ManagerId(bytes(16)).encode() + write_tlvs(tlvs)):
        try:
            found = Vdpdu.decode(octets)
        except WireError:
            continue
        assert Vdpdu.decode(found.encode()) == found


few = st.builds(Filter, st.integers(1, 3), st.none() | st.sampled_from((Mac(b"\2\0\0\0\0\1"), Mac(b"\2\0\0\0\0\2"))))


@given(st.lists(few, max_size=5), st.data())
def test_what_was_granted_meets_what_was_wanted_in_any_order(granted: list[Filter], data: st.DataObject) -> None:
    wanted = [Filter(0, one.mac) if data.draw(st.booleans()) else one for one in data.draw(st.permutations(granted))]
    filled = fill_vids(wanted, granted)
    assert filled is not None
    assert sorted(filled, key=repr) == sorted(granted, key=repr)
    assert all(one == two or (not one.vid and one.mac == two.mac) for one, two in zip(wanted, filled, strict=True))
    assert fill_vids(wanted, [*granted, Filter(1)]) is None
