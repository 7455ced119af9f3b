# SPDX-License-Identifier: Apache-2.0
"""Door to the signalling of one uplink: a socket for LLDP and one for ECP, which hear nothing else.

They are bound to their protocols, so data frames never come near them: what the programs take, the kernel asks no
socket about. What comes that nobody reads in time is lost, as on any wire (`QUEUE` octets wait).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

from openfex.linux.packet import PacketSocket
from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.uplink import UplinkSettings
from openfex.wire import lldp
from openfex.wire.ecp import Ecpdu
from openfex.wire.tlv import NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE

QUEUE = 1 << 20
MOST_AT_ONCE = 64
"""Frames that are taken in one go, so that one uplink cannot keep all others waiting."""
LAST_SEQUENCE = 0xFFFF
_GROUPS = (NEAREST_BRIDGE.octets, NEAREST_CUSTOMER_BRIDGE.octets)


def settings_of(name: str, device: str, mac: Mac, evb: EvbSettings) -> UplinkSettings:
    """Who an agent is on a device. Each that there ever was has another session, a later one a greater."""
    sequence = random.SystemRandom().randint(1, LAST_SEQUENCE)
    return UplinkSettings(mac, mac, device, name, evb, time.time_ns(), sequence)


class ControlWire:
    """One end of an uplink."""

    def __init__(self, device: str, netns: str | None = None) -> None:
        """Open both sockets on a device. Raises NotFoundError, KernelError."""
        self.device = device
        self.is_open = False
        self._netns = netns
        self._sockets: list[PacketSocket] = []
        self.open()

    def open(self) -> None:
        """Open it, again where it was closed. Raises as the constructor."""
        self._sockets = []
        try:
            for protocol in (lldp.ETHERTYPE, Ecpdu.ETHERTYPE):
                door = PacketSocket(
                    self.device, netns=self._netns, promiscuous=False, protocol=protocol, groups=_GROUPS, queue=QUEUE
                )
                self._sockets.append(door)
        except BaseException:
            self.close()
            raise
        self.is_open = True

    def close(self) -> None:
        """Give the sockets back."""
        self.is_open = False
        for one in self._sockets:
            one.close()

    @property
    def is_gone(self) -> bool:
        """Whether the device is not there any more."""
        return any(one.is_gone for one in self._sockets)

    def filenos(self) -> Iterable[int]:
        """What to wait for."""
        return [one.fileno() for one in self._sockets]

    def send(self, octets: bytes) -> None:
        """Send one frame, from the destination address on. Raises KernelError."""
        self._sockets[0].send(octets)

    def receive(self) -> list[bytes]:
        """The frames that are there now, some of them if there are many."""
        found: list[bytes] = []
        for one in self._sockets:
            while len(found) < MOST_AT_ONCE and (octets := one.receive(0.0)) is not None:
                found.append(octets)
        return found
