# SPDX-License-Identifier: Apache-2.0
"""What documents ask of NVMe adapters: from a document to a wish, from a problem back to its place. Pure."""

from __future__ import annotations

from openfex.errors import Problem
from openfex.model.functions import ALL_FUNCTIONS, FunctionDriver, Selector
from openfex.model.real_storage import NvmeSpec, StorageSettingsSpec
from openfex.model.source import Place
from openfex.model.storage import StorageSettings, StorageWish


def wish_of(name: str, spec: NvmeSpec) -> StorageWish:
    """What a document asks for."""
    selectors = []
    for pf in spec.pfs:
        address, device, _ = pf.address or ("", "", None)
        selectors.append(Selector(address, device, pf.vendor or "", pf.device or "", pf.driver or ""))
    return StorageWish(
        name=name,
        pfs=tuple(selectors),
        functions=spec.functions,
        settings=tuple((*(numbers or ALL_FUNCTIONS), _settings(one)) for numbers, one in spec.settings.items()),
        own_queues=spec.keep.queues if spec.keep else None,
        own_interrupts=spec.keep.interrupts if spec.keep else None,
    )


def _settings(spec: StorageSettingsSpec) -> StorageSettings:
    return StorageSettings(
        queues=spec.queues,
        interrupts=spec.interrupts,
        namespaces=None if spec.namespaces is None else tuple(sorted(set(spec.namespaces))),
        driver=FunctionDriver(spec.driver) if spec.driver else None,
    )


def place_of(spec: NvmeSpec, problem: Problem) -> Place:
    """Where in a document a problem of its wish is: `path` is a key, or `settings.N` for what is said of function N."""
    key, _, number = problem.path.partition(".")
    if not number:
        return (key,) if key else ()
    for numbers in reversed(list(spec.settings)):
        first, last = numbers or ALL_FUNCTIONS
        if first <= int(number) <= last:
            return (key, "all" if numbers is None else str(first) if first == last else f"{first}-{last}")
    return ("functions",) if spec.functions is not None else ()
