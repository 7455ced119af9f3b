# SPDX-License-Identifier: Apache-2.0
"""Signalling that a machine sends as if it were its host. Pure."""

from __future__ import annotations

from openfex.model.layout import Binding
from openfex.model.values import Mac
from openfex.wire.ecp import VDP, Ecpdu, Operation
from openfex.wire.lldp import ChassisId, Lldpdu, PortId
from openfex.wire.tlv import NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE
from openfex.wire.vdp import Command, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, Vsiid


def forged(sender: Binding) -> list[bytes]:
    """That its host goes, that another VSI is to be associated, and that this one is to go; to all addresses."""
    gone = Lldpdu(ChassisId.of_mac(sender.mac), PortId.of_interface(sender.uplink.device), 0)
    vsi = Vsiid.mac(sender.mac)
    frames = [gone.frame(group, sender.mac) for group in (NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE)]
    for command in (Command.ASSOCIATE, Command.DE_ASSOCIATE):
        tlv = VsiTlv(command, vsi, 1, 0, (Filter(0, Mac(b"\x02\0\0\0\0\x01")),))
        pdu = Ecpdu(Operation.REQUEST, VDP, 1, Vdpdu(ManagerId.text("openfex"), (tlv,)).encode())
        frames += [pdu.frame(sender.mac), pdu.frame(sender.mac, NEAREST_BRIDGE)]
    return frames
