# SPDX-License-Identifier: Apache-2.0
"""Real adapters among the documents of a lab, whose adapters are emulated. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.reader import of_spec
from openfex.model.real import SriovSpec
from openfex.model.real_storage import NvmeSpec
from openfex.plan.inventory import Inventory


def check_real_adapters(inventory: Inventory) -> Iterator[Problem]:
    """A file is either a lab, or about the real adapters of the machine that reads it."""
    real = [*of_spec(inventory.reading, SriovSpec), *of_spec(inventory.reading, NvmeSpec)]
    for document, _ in real:
        message = "a real adapter cannot be part of a lab"
        remedy = "put it into a file of its own, or write `driver: soft`"
        yield document.problem("real-adapter-in-lab", message, remedy, ("driver",))
