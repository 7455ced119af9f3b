# SPDX-License-Identifier: Apache-2.0
"""All that is said on one uplink, put together: LLDP with EVB, and over ECP both VDP and channel control.

One end is a station's or a bridge's. LLDP comes first: ends that hear each other agree about EVB, and what they agreed
on holds for ECP and VDP from then on. Channel control begins when our own table is complete and the other end says, in
an LLDP TLV of ours, that it has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.protocol import vdp_bridge, vdp_station
from openfex.protocol.cdcp import (
    MOST_GIVEN,
    CdcpBridge,
    CdcpOutput,
    CdcpStation,
    ChannelGiven,
    ChannelsRefused,
    ChannelWithdrawn,
    SvidPool,
)
from openfex.protocol.ecp import PAUSE_S, EcpLink, EcpPort
from openfex.protocol.evb import EvbAgreement, EvbSettings, negotiate
from openfex.protocol.lldp import (
    LldpAgent,
    LldpOutput,
    LldpSettings,
    Neighbour,
    NeighbourChanged,
    NeighbourGone,
    NeighbourSeen,
)
from openfex.protocol.mirror import Mirror, MirrorOutput, Unheard
from openfex.protocol.output import Log, earliest
from openfex.protocol.vdp_bridge import BridgeOutput
from openfex.protocol.vdp_station import StationOutput
from openfex.wire import control, lldp
from openfex.wire.cdcp import Cdcp
from openfex.wire.control import BRIDGE_KINDS, HOST_KINDS, Kind
from openfex.wire.ecp import CHANNEL_CONTROL, VDP, Ecpdu
from openfex.wire.evb import Evb, EvbMode
from openfex.wire.lldp import ChassisId, PortId, organization_octets, organization_tlv, system_name
from openfex.wire.tlv import Tlv

V = TypeVar("V", bound=vdp_station.Station | vdp_bridge.Bridge)

CONTROL_OUI, CONTROL_SUBTYPE = b"fex", 1
"""Our LLDP TLV: a locally administered identifier, since we have none of IEEE's. One octet follows: the version."""
_OTHER_ROLE = {EvbMode.STATION: EvbMode.BRIDGE, EvbMode.BRIDGE: EvbMode.STATION}


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """Who we are on this uplink, and how we speak.

    `session` and `sequence` are other ones for each agent that there ever was on it: so a peer notices a restart.
    """

    source: Mac
    chassis: Mac
    port: str
    name: str
    evb: EvbSettings
    session: int
    sequence: int = 1
    interval: float = 30
    ttl: int = 120


@dataclass(frozen=True, slots=True)
class Agreed:
    """What EVB has agreed on with the neighbour; None: with nobody any more."""

    neighbour: Neighbour | None
    agreement: EvbAgreement | None


UplinkOutput = LldpOutput | StationOutput | BridgeOutput | MirrorOutput | CdcpOutput | Agreed


@dataclass(slots=True)
class UplinkCounters:
    """What was dropped here; LLDP, ECP, VDP and channel control have their own."""

    strange: int = 0
    """Neither LLDP nor ECP."""
    malformed: int = 0
    """LLDPDUs with an EVB or CDCP TLV that is none."""


@dataclass
class Uplink(Generic[V]):
    """One end. `vdp` is the machine of VSIs, `mirror` that of channel control, `cdcp`, if there is one, of S-channels.

    Wishes are put to these, and what they give goes the same way as what this gives.
    """

    settings: UplinkSettings
    vdp: V
    mirror: Mirror
    counters: UplinkCounters = field(default_factory=UplinkCounters)
    agreement: EvbAgreement | None = None
    """With whom is there now."""
    cdcp: CdcpStation | CdcpBridge | None = None

    def __post_init__(self) -> None:
        mine = self.settings
        port = LldpSettings(
            mine.source,
            ChassisId.of_mac(mine.chassis),
            PortId.of_interface(mine.port),
            interval=mine.interval,
            ttl=mine.ttl,
        )
        self.lldp = LldpAgent(port, self._tlvs(negotiate(mine.evb, None).says))
        self._ecp = EcpPort({self.vdp.link.subtype: self.vdp, self.mirror.link.subtype: self.mirror})
        self._is_mirrored = self._is_open = False
        self._met: tuple[ChassisId, PortId] | None = None
        self.is_complete = False
        """Whether our table may be told."""

    @property
    def is_mirrored(self) -> bool:
        """Whether the other end is there and has channel control: an agent of ours."""
        return self._is_mirrored

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        return earliest((self.lldp.deadline, self._ecp.deadline))

    @property
    def giver(self) -> CdcpBridge | None:
        """Who gives S-channels here, at a bridge's end."""
        return self.cdcp if isinstance(self.cdcp, CdcpBridge) else None

    def start(self, now: float) -> list[object]:
        """The link is up: speak."""
        return [*self._say(now), *self.lldp.start(now)]

    def _say(self, now: float) -> list[LldpOutput]:
        """Have LLDP say what is so now."""
        _, evb = self.find_peer()
        return self.lldp.announce(self._tlvs(negotiate(self.settings.evb, evb).says), now)

    def receive(self, octets: bytes, now: float) -> list[object]:
        """Take a frame of the uplink's own untagged channel, any octets."""
        ethertype = int.from_bytes(octets[12:14], "big")
        if ethertype == lldp.ETHERTYPE:
            return self._follow(self.lldp.receive(octets, now), now)
        if ethertype == Ecpdu.ETHERTYPE:
            return self._ecp.receive(octets, now)
        self.counters.strange += 1
        return []

    def expire(self, now: float) -> list[object]:
        """Do what is due."""
        outputs = [*self._ecp.expire(now)]
        due = self.lldp.deadline
        if due is not None and due <= now:
            outputs += self._follow(self.lldp.expire(now), now)
        return outputs

    def _follow(self, outputs: list[LldpOutput], now: float) -> list[object]:
        news = NeighbourSeen | NeighbourChanged | NeighbourGone
        if not any(isinstance(one, news) for one in outputs):
            return [*outputs]
        return [*outputs, *self._negotiate(now)]

    def _negotiate(self, now: float) -> list[object]:
        """Agree with the end that is there."""
        peer, evb = self.find_peer()
        found = negotiate(self.settings.evb, evb)
        outputs: list[object] = [*self._hear_channels(peer)]
        outputs += self.lldp.announce(self._tlvs(found.says), now)
        agreement = found.agreement if peer else None
        who = (peer.lldpdu.chassis, peer.lldpdu.port) if peer else None
        if who is not None and who != self._met:
            self._met = who
            self.mirror.meet()
        if agreement != self.agreement:
            self.agreement = agreement
            self._use(agreement)
            outputs.append(Agreed(peer, agreement))
        self._is_mirrored = peer is not None and _speaks_control(peer)
        if self._is_mirrored:
            self.mirror.listen(now)
        self.vdp.link.pause = 0.0 if self._is_mirrored else PAUSE_S
        return [*outputs, *self._open(now)]

    def _hear_channels(self, peer: Neighbour | None) -> list[CdcpOutput]:
        """What it says of S-channels; a TLV that is none is as if it were not there, and changes nothing."""
        if self.cdcp is None or peer is None:
            return []
        try:
            return self.cdcp.receive(Cdcp.find(peer.lldpdu))
        except WireError:
            self.counters.malformed += 1
            return []

    def ask(self, scids: Iterable[int], now: float) -> list[object]:
        """Want these S-channels and no others, as far as CDCP can carry them. Only a station may."""
        assert isinstance(self.cdcp, CdcpStation)
        return [*self.cdcp.ask([*scids][:MOST_GIVEN]), *self._say(now)]

    def open_mirror(self, now: float) -> list[object]:
        """Our table is complete, for now: it is told as soon as somebody is there who understands it."""
        self.is_complete = True
        return self._open(now)

    def _open(self, now: float) -> list[object]:
        if not (self._is_mirrored and self.is_complete) or self._is_open:
            return []
        self._is_open = True
        return [*self.mirror.start(now)]

    def find_peer(self) -> tuple[Neighbour | None, Evb | None]:
        """The end of the other role, the one heard last if there are several, and what it says of EVB."""
        wanted = _OTHER_ROLE.get(self.settings.evb.role)
        for neighbour in sorted(self.lldp.neighbours, key=lambda one: -one.expires):
            try:
                evb = Evb.find(neighbour.lldpdu)
            except WireError:
                self.counters.malformed += 1
                continue
            if evb is not None and evb.mode is wanted:
                return neighbour, evb
        return None, None

    def _use(self, agreement: EvbAgreement | None) -> None:
        """What ECP and VDP go by; without an agreement what it was: those that are held run out by it."""
        if agreement is None:
            return
        self.vdp.link.settings = self.mirror.link.settings = agreement.ecp
        self.vdp.timers = agreement.timers
        self.vdp.group_ids = agreement.group_ids

    def _tlvs(self, says: Evb) -> list[Tlv]:
        mine = organization_tlv(CONTROL_OUI, CONTROL_SUBTYPE, bytes((control.VERSION,)))
        channels = [self.cdcp.says.tlv()] if self.cdcp else []
        return [system_name(self.settings.name), says.tlv(), *channels, mine]


AnyUplink = Uplink[vdp_station.Station] | Uplink[vdp_bridge.Bridge]


def neighbour_rows(end: AnyUplink, now: float) -> list[dict[str, object]]:
    """Who is at the other end of an uplink, as plain values; with whom EVB is agreed, and what else is."""
    peer, _ = end.find_peer()
    return [
        {
            "node": end.settings.name,
            "device": end.settings.port,
            "name": one.lldpdu.system_name or None,
            "chassis": str(one.lldpdu.chassis),
            "port": str(one.lldpdu.port),
            "mac": str(one.source),
            "expires_s": round(max(one.expires - now, 0), 1),
            "evb": "agreed" if one == peer and end.agreement else "none",
            "relay": bool(one == peer and end.agreement and end.agreement.reflective_relay),
            "control": _speaks_control(one),
            "channels": len(end.cdcp.given) if one == peer and end.cdcp else 0,
        }
        for one in end.lldp.neighbours
    ]


def lost_row(end: AnyUplink) -> dict[str, object]:
    """The same of an uplink whose device is not there."""
    nobody = dict.fromkeys(("name", "chassis", "port", "mac", "expires_s"))
    mine = {"node": end.settings.name, "device": end.settings.port}
    return {**mine, **nobody, "evb": "lost", "relay": False, "control": False}


def log_of(link: int, output: object) -> list[Log]:
    """What of an uplink's outputs is worth a line of a log."""
    about = f"link {link}"
    match output:
        case NeighbourSeen(neighbour):
            return [Log("neighbour", about, f"{_name_of(neighbour)} is there")]
        case NeighbourGone(neighbour, reason):
            return [Log("neighbour-gone", about, f"{_name_of(neighbour)} is gone: {reason.value}")]
        case Agreed(_, agreement):
            return [Log("agreed" if agreement else "alone", about, "EVB is agreed" if agreement else "nobody is there")]
        case ChannelGiven(scid, svid):
            return [Log("channel", about, f"S-channel {scid} has VID {svid}")]
        case ChannelWithdrawn(scid, svid):
            return [Log("channel-withdrawn", about, f"S-channel {scid} has no more VID {svid}")]
        case ChannelsRefused(scids):
            words = f"there is no VID for S-channels {', '.join(map(str, scids))}"
            return [Log("channels-refused", about, words, "no-svid")]
        case Unheard():
            return [Log("unheard", about, "the agent at the other end does not answer")]
    return []


def _name_of(neighbour: Neighbour) -> str:
    return neighbour.lldpdu.system_name or str(neighbour.lldpdu.chassis)


def _speaks_control(neighbour: Neighbour) -> bool:
    """Whether the other end has our channel control, in our version."""
    found = (organization_octets(tlv, CONTROL_OUI, CONTROL_SUBTYPE) for tlv in neighbour.lldpdu.tlvs)
    return any(octets is not None and octets[:1] == bytes((control.VERSION,)) for octets in found)


def _alone(settings: UplinkSettings) -> EvbAgreement:
    """What an end goes by until it has heard another."""
    agreement = negotiate(settings.evb, None).agreement
    assert agreement is not None
    return agreement


def _link(settings: UplinkSettings, subtype: int, pause: float = 0) -> EcpLink:
    return EcpLink(subtype, settings.source, _alone(settings).ecp, first=settings.sequence, pause=pause)


def _mirror(settings: UplinkSettings, kinds: Collection[Kind]) -> Mirror:
    return Mirror(_link(settings, CHANNEL_CONTROL), settings.session, kinds=kinds)


def station_end(settings: UplinkSettings, *, s_channels: bool = False) -> Uplink[vdp_station.Station]:
    """The host's end of an uplink."""
    vdp = vdp_station.Station(_link(settings, VDP, PAUSE_S), _alone(settings).timers)
    return Uplink(settings, vdp, _mirror(settings, BRIDGE_KINDS), cdcp=CdcpStation() if s_channels else None)


def bridge_end(settings: UplinkSettings, *, s_channels: bool = False) -> Uplink[vdp_bridge.Bridge]:
    """The bridge's end of an uplink."""
    vdp = vdp_bridge.Bridge(_link(settings, VDP, PAUSE_S), _alone(settings).timers)
    return Uplink(settings, vdp, _mirror(settings, HOST_KINDS), cdcp=CdcpBridge(SvidPool()) if s_channels else None)
