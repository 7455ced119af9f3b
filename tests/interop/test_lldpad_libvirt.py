# SPDX-License-Identifier: Apache-2.0
"""What libvirt says to lldpad when it starts a machine with `<virtualport type='802.1Qbg'>`, and what our bridge hears.

It is a message of rtnetlink that goes to lldpad's process instead of the kernel (wire.md 5.5). libvirt then asks again
and again what has become of it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from openfex.linux import netns
from openfex.linux.links import IFINFO, RTM_GETLINK, RTM_SETLINK
from openfex.linux.rtnetlink import NLM_F_REQUEST, attribute, attributes, nested, text
from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.uplink import Uplink, bridge_end
from openfex.protocol.vdp import Associated, Deassociated, Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Bridge
from openfex.wire.evb import EvbMode
from openfex.wire.vdp import Command, ManagerId, VsiTlv
from openfex.wire.vsi import Filter, Vsiid
from tests.interop.lldpad import EXPONENT, PEER, THEIRS, met
from tests.interop.pump import Pump

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.slow, pytest.mark.usefixtures("cable")]

IFLA_IFNAME, IFLA_VFINFO_LIST, IFLA_VF_PORTS = 3, 22, 24
VF_INFO, VF_MAC, VF_VLAN = 1, 1, 2
VF_PORT, PORT_VSI_TYPE, PORT_INSTANCE_UUID, PORT_REQUEST, PORT_RESPONSE = 1, 3, 4, 6, 7
NLMSG_ERROR, NLMSG_DONE = 2, 3
SELF = 0xFFFFFFFF
"""Instead of a function's number: the interface itself."""
HEAD = struct.Struct("=IHHII")
ASSOCIATE, DISASSOCIATE = 2, 3
"""libvirt's numbers, one less than VDP's."""
UUID_ = UUID("11223344-5566-4788-99aa-bbccddeeff00")
MAC = Mac.parse("52:54:00:11:22:33")
MANAGER = ManagerId(b"\x07".ljust(16, b"\0"))
"""Of one octet at libvirt."""
TYPE_ID, VERSION, VLAN = 0x123456, 4, 200
KEY = Vsiid.uuid(UUID_)


@dataclass(frozen=True)
class Libvirt:
    """A socket that speaks with lldpad's process as with the kernel, and our bridge at the other end of the cable."""

    door: socket.socket
    pump: Pump[Uplink[Bridge]]

    def become(self, request: int) -> None:
        """Ask lldpad for a change, which it only takes note of."""
        assert _error_of(self._ask(*_port(request), kind=RTM_SETLINK)) == 0

    def response(self) -> int | None:
        """What has become of it."""
        return _response_of(self._ask(kind=RTM_GETLINK))

    def _ask(self, *parts: bytes, kind: int) -> bytes:
        body = IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + text(IFLA_IFNAME, PEER) + b"".join(parts)
        port = self.door.getsockname()[0]
        self.door.send(HEAD.pack(HEAD.size + len(body), kind, NLM_F_REQUEST, 1, port) + body)
        while (answer := self.pump.receive(self.door)) and _is_notice(answer):
            pass
        return answer


def _port(request: int) -> tuple[bytes, bytes]:
    """As libvirt's virNetDevVPortProfileOpSetLink makes it."""
    mac = attribute(VF_MAC, struct.pack("=I32s", SELF, MAC.octets))
    vlan = attribute(VF_VLAN, struct.pack("=III", SELF, VLAN, 0))
    vsi = struct.pack("=B3sB3x", MANAGER.octets[0], TYPE_ID.to_bytes(3, "little"), VERSION)
    port = (
        attribute(PORT_VSI_TYPE, vsi),
        attribute(PORT_INSTANCE_UUID, UUID_.bytes),
        attribute(PORT_REQUEST, bytes([request])),
    )
    return nested(IFLA_VFINFO_LIST, nested(VF_INFO, mac, vlan)), nested(IFLA_VF_PORTS, nested(VF_PORT, *port))


def _is_notice(said: bytes) -> bool:
    """Whether lldpad says of itself that our VSI is gone."""
    return HEAD.unpack_from(said)[1] == RTM_SETLINK and UUID_.bytes in said


def _error_of(answer: bytes) -> int:
    """0 for yes, or an errno."""
    assert HEAD.unpack_from(answer)[1] == NLMSG_ERROR
    (error,) = struct.unpack_from("=i", answer, HEAD.size)
    return -int(error)


def _response_of(answer: bytes) -> int | None:
    """What has become of our VSI: 0 for success; None while nothing has, or when it is gone."""
    assert HEAD.unpack_from(answer)[1] == NLMSG_DONE
    ports = attributes(answer, HEAD.size + IFINFO.size).get(IFLA_VF_PORTS, b"")
    port = attributes(attributes(ports).get(VF_PORT, b""))
    if port.get(PORT_INSTANCE_UUID) != UUID_.bytes or PORT_RESPONSE not in port:
        return None
    return int.from_bytes(port[PORT_RESPONSE], "little")


@pytest.fixture
def libvirt(tmp_path: Path) -> Iterator[Libvirt]:
    def judge(output: object, now: float) -> Sequence[object]:
        return pump.end.vdp.answer(output, Accept(output.vsi.filters), now) if isinstance(output, Asked) else ()

    evb = EvbSettings(EvbMode.BRIDGE, rwd=EXPONENT, rka=EXPONENT)
    with met(bridge_end, tmp_path, evb, owner=judge) as (pump, peer):
        with netns.entered(THEIRS):
            door = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        with door:
            door.connect((peer.process.pid, 0))
            yield Libvirt(door, pump)


def test_libvirt_s_message_to_lldpad_associates_a_machine_and_lets_it_go(libvirt: Libvirt) -> None:
    pump = libvirt.pump
    libvirt.become(ASSOCIATE)
    pump.until(lambda: libvirt.response() == 0, "lldpad tells libvirt that it is associated")
    (asked,) = pump.told_of(Asked)
    assert asked.mode is Command.ASSOCIATE
    assert asked.vsi == Vsi.of(MANAGER, VsiTlv(Command.ASSOCIATE, KEY, TYPE_ID, VERSION, (Filter(VLAN, MAC),)))
    assert pump.told_of(Associated) == [Associated(KEY, Command.ASSOCIATE, (Filter(VLAN, MAC),))]
    libvirt.become(DISASSOCIATE)
    pump.until(lambda: libvirt.response() is None, "lldpad forgets it")
    assert pump.told_of(Deassociated) == [Deassociated(KEY)]


def test_libvirt_is_told_when_the_bridge_takes_a_machine_s_vsi_away(libvirt: Libvirt) -> None:
    pump = libvirt.pump
    libvirt.become(ASSOCIATE)
    pump.until(lambda: libvirt.response() == 0, "lldpad tells libvirt that it is associated")
    pump.do(partial(pump.end.vdp.de_associate, KEY))
    assert _is_notice(pump.receive(libvirt.door))
