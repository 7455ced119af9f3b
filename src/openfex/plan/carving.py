# SPDX-License-Identifier: Apache-2.0
"""Whether so many functions can be carved from an adapter. Pure, and free of any library."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.model.catalogue import CATALOGUE
from openfex.model.wording import choose


@dataclass(frozen=True, slots=True)
class Refusal:
    """A coded no: which, about what key, why, and what would make it a yes."""

    code: str
    key: str
    message: str
    remedy: str = ""


def check_carving(model: str, functions: int, storage: int) -> Refusal | None:
    """Why `functions` NIC and `storage` storage functions cannot be carved from a model; None if they can."""
    found = CATALOGUE.get(model)
    if found is None:
        return Refusal(
            "unknown-model", "model", f"there is no adapter model {model}", choose(model, CATALOGUE, "models")
        )
    if functions + storage > found.functions:
        message = f"{functions + storage} functions asked for, a {model} has {found.functions}"
        return Refusal("too-many-functions", "functions", message, f"carve at most {found.functions}")
    if storage and not found.storage:
        return Refusal("no-storage", "storage", f"a {model} has no storage functions", "take the key out")
    return None
