# SPDX-License-Identifier: Apache-2.0
"""What a station and its bridge both mean by a VSI."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, VsiTlv
from openfex.wire.vsi import Filter, FilterFormat, Vsiid

MODES = (Command.PRE_ASSOCIATE, Command.PRE_ASSOCIATE_RR, Command.ASSOCIATE)
"""What a VSI can be, the commands that make it so."""


@dataclass(frozen=True, slots=True)
class Vsi:
    """A virtual station interface: what it is called, and what it asks for. Its VSIID is its key on an uplink."""

    vsiid: Vsiid
    manager: ManagerId
    type_id: int
    type_version: int
    filters: tuple[Filter, ...]
    hint: Hint = Hint.NONE
    filter_format: FilterFormat | None = None
    """Follows from the filters where there are any."""

    @classmethod
    def of(cls, manager: ManagerId, tlv: VsiTlv) -> Vsi:
        """What an association TLV is about."""
        return cls(tlv.vsiid, manager, tlv.type_id, tlv.type_version, tlv.filters, tlv.hint, tlv.filter_format)

    def request(self, command: Command) -> VsiTlv:
        """The TLV that asks for it. Raises WireError for fields that do not fit."""
        return VsiTlv(
            command, self.vsiid, self.type_id, self.type_version, self.filters, self.filter_format, hint=self.hint
        )

    def response(self, command: Command) -> VsiTlv:
        """The TLV that says yes."""
        return replace(self.request(command), hint=Hint.NONE, is_response=True)

    def is_alike(self, other: Vsi) -> bool:
        """Whether both ask for the same but for filters and hint."""
        return (self.type_id, self.type_version, self.manager) == (other.type_id, other.type_version, other.manager)


@dataclass(frozen=True, slots=True)
class Association:
    """A VSI that both ends hold, with the filters that the bridge has granted."""

    mode: Command
    filters: tuple[Filter, ...]


class LossReason(Enum):
    """Why a VSI is no longer, or never was, what was wished for."""

    NO_RESPONSE = "no-response"
    """The bridge has not answered in time."""
    NO_ACK = "no-ack"
    """The bridge has not even acknowledged."""
    MISMATCH = "mismatch"
    """The bridge's response is about something else."""
    BY_BRIDGE = "by-bridge"
    """The bridge has sent De-Assoc."""


@dataclass(frozen=True, slots=True)
class Associated:
    """The bridge holds the VSI in this mode from now on; `filters` have the VIDs that it has chosen."""

    key: Vsiid
    mode: Command
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The bridge said no. `kept`: what it held before, it still holds; else it holds nothing of this VSI."""

    key: Vsiid
    error: ErrorCode
    kept: bool
    hard: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The VSI is not held any longer, as far as can be known here."""

    key: Vsiid
    reason: LossReason


@dataclass(frozen=True, slots=True)
class Deassociated:
    """The VSI is gone, as was wished.

    Told by a station: the bridge has said so or will find out by itself. Told by a bridge: whatever was begun or
    done for it is to be undone.
    """

    key: Vsiid
