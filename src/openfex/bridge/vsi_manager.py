# SPDX-License-Identifier: Apache-2.0
"""The VSI manager: which profile a VSI type is (802.1Qbg 40.1.9). An interface, and one over documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from openfex.errors import RefusedError
from openfex.model.layout import Profile
from openfex.plan.identity import VsiType, vsi_type_of


class VsiManager(Protocol):
    """Who knows what types there are."""

    def find(self, asked: VsiType) -> Profile | None:
        """The profile of a type; None if there is none."""


class DocumentManager:
    """The types of the profiles in a bridge's documents. Raises RefusedError where two would be the same."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._types: dict[VsiType, Profile] = {}
        for profile in profiles:
            found = self._types.setdefault(vsi_type_of(profile.name), profile)
            if found is not profile:
                message = f"profiles {found.name} and {profile.name} have the same VSI type"
                raise RefusedError(message, code="vsi-type-taken", remedy="rename one of them")

    def find(self, asked: VsiType) -> Profile | None:
        """The profile of a type; None if there is none."""
        return self._types.get(asked)
