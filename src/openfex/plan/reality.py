# SPDX-License-Identifier: Apache-2.0
"""Real adapters among the documents of a network: those of its real hosts, and no others. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.reader import of_spec
from openfex.model.real import SriovSpec
from openfex.model.real_storage import NvmeSpec
from openfex.plan.adapters import check_real, real_adapters
from openfex.plan.inventory import Inventory


def check_real_adapters(inventory: Inventory) -> Iterator[Problem]:
    """A lab's own hosts have emulated ones."""
    real = real_adapters(inventory.reading)
    for document, spec in real:
        yield from check_real(document, spec, inventory.host_of[spec.host or ""])
    of_hosts = {document.name for document, _ in real}
    others = [*of_spec(inventory.reading, SriovSpec), *of_spec(inventory.reading, NvmeSpec)]
    for document, _ in others:
        if document.name in of_hosts:
            continue
        message = "a real adapter can be part of a network only in a real host"
        remedy = "say of which `remote` host it is, put it into a file of its own, or write `driver: soft`"
        yield document.problem("real-adapter-in-lab", message, remedy, ("driver",))
