# SPDX-License-Identifier: Apache-2.0
"""The VSI manager: which profile a VSI type is (802.1Qbg 40.1.9). An interface, and one over documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from openfex.errors import RefusedError
from openfex.model.layout import Binding, Profile
from openfex.model.values import Mac
from openfex.plan.identity import VsiType, vsi_type_of
from openfex.wire.vsi import Vsiid


class VsiManager(Protocol):
    """Who knows what types there are, and whose addresses are."""

    def find(self, asked: VsiType) -> Profile | None:
        """The profile of a type; None if there is none."""

    def owner(self, mac: Mac) -> Vsiid | None:
        """Whose a MAC is to be, whether it is held now or not; None if nobody has said that."""


class DocumentManager:
    """What a bridge's documents say. Raises RefusedError where two types would be the same."""

    def __init__(self, profiles: Iterable[Profile], bindings: Iterable[Binding] = ()) -> None:
        self._owners = {
            mac: Vsiid.uuid(UUID(one.uuid)) for one in bindings for mac in (one.mac, *one.profile.policy.source.macs)
        }
        self._types: dict[VsiType, Profile] = {}
        for profile in profiles:
            found = self._types.setdefault(vsi_type_of(profile.name), profile)
            if found is not profile:
                message = f"profiles {found.name} and {profile.name} have the same VSI type"
                raise RefusedError(message, code="vsi-type-taken", remedy="rename one of them")

    def find(self, asked: VsiType) -> Profile | None:
        """The profile of a type; None if there is none."""
        return self._types.get(asked)

    def owner(self, mac: Mac) -> Vsiid | None:
        """Whose a MAC is to be; None if documents do not say."""
        return self._owners.get(mac)
