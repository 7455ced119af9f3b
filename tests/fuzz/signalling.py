# SPDX-License-Identifier: Apache-2.0
"""What must hold for signalling, whatever octets come: its codecs, and an end of an uplink that hears them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.output import Transmit
from openfex.protocol.uplink import Uplink, UplinkSettings, bridge_end, station_end
from openfex.protocol.vdp import Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Bridge, Reject
from openfex.protocol.vdp_station import Station
from openfex.wire.cdcp import Cdcp, CdcpRole
from openfex.wire.control import (
    ControlPdu,
    FunctionEntry,
    HostEntry,
    ListRow,
    Mark,
    VethEntry,
    decode_addresses,
    encode_addresses,
)
from openfex.wire.ecp import CHANNEL_CONTROL, VDP, Ecpdu, Operation
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, StationStatus
from openfex.wire.lldp import ETHERTYPE, IEEE_8021, Lldpdu
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE
from openfex.wire.vdp import Command, ErrorCode, ManagerId, Vdpdu
from openfex.wire.vsi import Filter, Vsiid

End = Uplink[Bridge] | Uplink[Station]
OURS, THEIRS = Mac(b"\2\0\0\0\0\1"), Mac(b"\2\0\0\0\0\2")
VSI = Vsi(Vsiid.uuid(UUID(int=5)), ManagerId.text("m"), 1, 1, (Filter(10, THEIRS),))
PAUSE_S = 1.5
"""Between frames, up to fifteen times that."""
LONGEST_FRAME = 127
"""Of what is not given by how it begins."""
MOST_CALLS = 64
CODES = {
    *("", "truncated-frame", "wrong-length", "field-out-of-range", "too-long", "misplaced-tlv", "no-manager"),
    *("second-manager", "unknown-type", "unknown-format", "unknown-operation", "mixed-filters", "status-conflict"),
    *("bad-version", "no-session", "bad-name"),
}
"""All that can be wrong with octets, nothing among it."""


def _said(value: Evb | Cdcp) -> bytes:
    """What stands behind OUI and subtype."""
    return value.tlv().value[len(IEEE_8021) + 1 :]


CODECS: tuple[tuple[Callable[[bytes], Any], Callable[[Any], bytes]], ...] = (
    (Lldpdu.decode, Lldpdu.encode),
    (Evb.decode, _said),
    (Cdcp.decode, _said),
    (Ecpdu.decode, Ecpdu.encode),
    (Vdpdu.decode, Vdpdu.encode),
    (ControlPdu.decode, ControlPdu.encode),
    (HostEntry.decode, HostEntry.encode),
    (FunctionEntry.decode, FunctionEntry.encode),
    (VethEntry.decode, VethEntry.encode),
    (ListRow.decode, ListRow.encode),
    (decode_addresses, encode_addresses),
)


def signals(octets: bytes) -> None:
    """Octets are refused in words of our own, or stand for a value that reads back as itself."""
    decode, encode = CODECS[octets[0] % len(CODECS) if octets else 0]
    refusal = ""
    try:
        value = decode(octets[1:])
    except WireError as error:
        refusal = error.code
    else:
        assert decode(encode(value)) == value
    assert refusal in CODES


def uplinks(octets: bytes) -> None:
    """An end of an uplink that hears anything, whenever, says and keeps no more than it should."""
    end = _end(is_bridge=bool(octets and octets[0] & 1))
    now, heard = 0.0, 0
    said = _take(end, end.start(now), now)
    if isinstance(end.vdp, Station):
        said += _take(end, end.vdp.associate(VSI, Command.ASSOCIATE, now), now)
    for choice, frame in _frames(octets[1:]):
        now += (choice >> 4) * PAUSE_S
        said += _call(end, now) + _take(end, end.receive(frame, now), now)
        heard += 1
    for _ in range(MOST_CALLS):
        now = max(now, end.deadline or now)
        said += _call(end, now)
    assert said <= 6 * heard + 2 * MOST_CALLS
    assert len(end.lldp.neighbours) <= 8
    assert len(end.vdp.associations) <= heard + 1


def _end(*, is_bridge: bool) -> End:
    role = EvbMode.BRIDGE if is_bridge else EvbMode.STATION
    settings = UplinkSettings(OURS, OURS, "up0", "ours", EvbSettings(role, group_ids=True), session=1)
    return bridge_end(settings) if is_bridge else station_end(settings)


def _call(end: End, now: float) -> int:
    """What is due is done by one call."""
    due = end.deadline
    if due is None or due > now:
        return 0
    said = _take(end, end.expire(now), now)
    left = end.deadline
    assert left is None or left > now
    return said


def _take(end: End, outputs: Sequence[object], now: float) -> int:
    """Answer what is asked, by what it is about; how many frames were sent."""
    said = 0
    for output in outputs:
        if isinstance(output, Transmit):
            assert output.octets[:12] == NEAREST_CUSTOMER_BRIDGE.octets + OURS.octets
            said += 1
        elif isinstance(output, Asked):
            assert isinstance(end.vdp, Bridge)
            no = Reject(ErrorCode.OTHER, keep=bool(output.vsi.type_id & 2))
            verdict = Accept(output.vsi.filters) if output.vsi.type_id & 1 else no
            said += _take(end, end.vdp.answer(output, verdict, now), now)
    return said


def _frames(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """An octet that chooses the time before a frame and how it begins, one that says how long it is, the rest of it."""
    while len(octets) > 2:
        choice, end = octets[0], 2 + octets[1] % (LONGEST_FRAME + 1)
        yield choice, STARTS[choice & 0xF & len(STARTS) - 1] + octets[2:end]
        octets = octets[end:]


def _start(ethertype: int, *head: bytes) -> bytes:
    return NEAREST_CUSTOMER_BRIDGE.octets + THEIRS.octets + ethertype.to_bytes(2, "big") + b"".join(head)


STARTS = (
    b"",
    _start(ETHERTYPE),
    _start(ETHERTYPE, bytes.fromhex("0207040200000000020403050001 0602 0078")),
    _start(Ecpdu.ETHERTYPE),
    _start(Ecpdu.ETHERTYPE, Ecpdu(Operation.REQUEST, VDP, 1).encode()),
    _start(Ecpdu.ETHERTYPE, Ecpdu(Operation.REQUEST, VDP, 2, VSI.manager.encode()).encode()),
    _start(Ecpdu.ETHERTYPE, Ecpdu(Operation.ACK, VDP, 1).encode()),
    _start(Ecpdu.ETHERTYPE, Ecpdu(Operation.REQUEST, CHANNEL_CONTROL, 1, b"fex\1").encode()),
)
"""What frames begin with, so that not all of it must be guessed."""


def signalling_words() -> set[bytes]:
    """Octets that mean something here."""
    asked = VSI.request(Command.ASSOCIATE)
    pdus = (Vdpdu(VSI.manager, (asked,)), Vdpdu(VSI.manager, (VSI.response(Command.ASSOCIATE),)))
    relay = (Evb(EvbMode.BRIDGE, BridgeStatus(True, True)), Evb(EvbMode.STATION, station=StationStatus(True)))
    return {
        *(one.encode() for one in pdus),
        *(one.tlv().encode() for one in relay),
        *(one.tlv().encode() for one in (Cdcp(CdcpRole.STATION), Cdcp(CdcpRole.BRIDGE))),
        asked.encode(),
        ControlPdu(Mark(1, 1), is_new=True, is_whole=True).encode(),
        *STARTS[1:],
    }
