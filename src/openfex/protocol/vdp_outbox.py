# SPDX-License-Identifier: Apache-2.0
"""What VDP wants to say, packed: TLVs of many VSIs with the same VSI manager share an ECPDU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openfex.protocol.ecp import EcpLink, EcpOutput
from openfex.wire.vdp import ManagerId
from openfex.wire.vsi import Vsiid

MOST_OCTETS = 1494
"""Of an ECPDU's payload, so that the frame fits an MTU of 1,500."""


class Sent(NamedTuple):
    """What one pump has sent: ECP's outputs, and the VSIs that the ECPDU is about."""

    outputs: Sequence[EcpOutput]
    keys: Sequence[Vsiid]


class Outbox:
    """TLVs that wait for the link, the last one of each VSI; managers take turns.

    `most` bounds how many wait: a peer that acknowledges nothing must not make a bridge remember all that it asks.
    """

    def __init__(self, link: EcpLink, payload: int = MOST_OCTETS, most: int = 1 << 13) -> None:
        self._link = link
        self._payload = payload
        self._most = most
        self._waiting: dict[ManagerId, dict[Vsiid, bytes]] = {}
        self._manager_of: dict[Vsiid, ManagerId] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._manager_of)

    def put(self, manager: ManagerId, key: Vsiid, tlv: bytes) -> None:
        """Have `tlv` wait, instead of what waits about this VSI already. Dropped and counted when too many wait."""
        if self._manager_of.get(key, manager) != manager:
            self.discard(key)
        if key not in self._manager_of and len(self._manager_of) >= self._most:
            self.dropped += 1
            return
        self._manager_of[key] = manager
        self._waiting.setdefault(manager, {})[key] = tlv

    def discard(self, key: Vsiid) -> None:
        """Say nothing about this VSI."""
        manager = self._manager_of.pop(key, None)
        if manager is not None:
            self._remove(manager, key)

    def pump(self, now: float) -> Sent:
        """Send what fits one ECPDU, if the link has none on the wire."""
        if not self._waiting or not self._link.is_idle:
            return Sent((), ())
        manager = next(iter(self._waiting))
        tlvs = self._waiting.pop(manager)
        parts = [manager.encode()]
        keys: list[Vsiid] = []
        room = self._payload - len(parts[0])
        for key, tlv in tlvs.items():
            if keys and len(tlv) > room:
                break
            room -= len(tlv)
            parts.append(tlv)
            keys.append(key)
        for key in keys:
            del tlvs[key], self._manager_of[key]
        if tlvs:
            self._waiting[manager] = tlvs
        return Sent(self._link.send(b"".join(parts), now), keys)

    def _remove(self, manager: ManagerId, key: Vsiid) -> None:
        tlvs = self._waiting[manager]
        del tlvs[key]
        if not tlvs:
            del self._waiting[manager]
