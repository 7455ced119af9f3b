# SPDX-License-Identifier: Apache-2.0
"""Everything that is wrong with the documents of a file, at once and in the order of its lines. Pure.

Each check looks at what is certain: what could not be read is not missing, and what one check complains about is not
complained about by the next. A new check is a function over the inventory, and stands in CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from openfex.errors import DocumentError, Problem
from openfex.model.layout import Layout
from openfex.model.reader import Reading
from openfex.plan.allotment import Allotment
from openfex.plan.capacity import check_adapters, check_bridges, check_functions_left, check_profiles
from openfex.plan.devices import check_host_devices, check_machine_devices, check_port_devices
from openfex.plan.inventory import Inventory
from openfex.plan.lists import check_lists
from openfex.plan.nics import (
    check_addresses,
    check_fabrics,
    check_functions,
    check_macs,
    check_mtus,
    check_pins,
)
from openfex.plan.reality import check_real_adapters
from openfex.plan.references import check_hosts, check_machines, check_network, check_ports
from openfex.plan.remotes import check_cables, check_remote_machines, check_remotes
from openfex.plan.rules import check_rates, check_rules
from openfex.plan.shapes import check_shapes
from openfex.plan.sources import check_guards, check_source_macs
from openfex.plan.vepa_checks import check_foreign_bridges, check_stations, check_vepa_pins, check_vepa_profiles

CHECKS: tuple[Callable[[Inventory], Iterator[Problem]], ...] = (
    check_network,
    check_ports,
    check_port_devices,
    check_bridges,
    check_profiles,
    check_rules,
    check_rates,
    check_hosts,
    check_remotes,
    check_cables,
    check_shapes,
    check_host_devices,
    check_adapters,
    check_real_adapters,
    check_machines,
    check_remote_machines,
    check_machine_devices,
    check_fabrics,
    check_functions,
    check_functions_left,
    check_pins,
    check_macs,
    check_source_macs,
    check_guards,
    check_vepa_profiles,
    check_stations,
    check_foreign_bridges,
    check_addresses,
    check_mtus,
)


def review(reading: Reading, held: Allotment, here: Collection[str] | None = None) -> None:
    """Raise DocumentError with every problem that documents have, each by itself and all together."""
    inventory = Inventory(reading, held, here)
    _refuse([*reading.problems, *(problem for check in CHECKS for problem in check(inventory))])


def review_layout(layout: Layout, reading: Reading) -> None:
    """Raise DocumentError with what can only be seen when every NIC has its port."""
    _refuse([*check_lists(layout, reading), *check_vepa_pins(layout, reading)])


def _refuse(problems: Iterable[Problem]) -> None:
    if found := sorted(problems, key=lambda one: (one.line, one.column)):
        raise DocumentError(found)
