# SPDX-License-Identifier: Apache-2.0
"""What is left of a lab: looked for in every place where a lab leaves anything."""

from __future__ import annotations

from openfex.datapath.node import pin_folder
from openfex.lab.kept import folder
from openfex.lab.names import prefix_of
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.machine.qemu import find_all


def residue(lab: str) -> list[str]:
    """Name spaces, processes in them, virtual machines wherever they are, pins and files of a lab."""
    spaces = netns.names(prefix_of(lab))
    left = [f"name space {name}" for name in spaces]
    left += [f"guest {one.name}" for one in find_all(prefix_of(lab))]
    left += [f"process {pid}" for name in spaces for pid in netns.processes(name)]
    left += [f"pin {one.name}" for one in pin_folder().glob(f"{prefix_of(lab)}*")]
    if folder(lab).exists():
        left.append(str(folder(lab)))
    return left


def links_here() -> set[str]:
    """The links of the name space that this process is in."""
    with Netlink(None) as netlink:
        return {link.name for link in netlink.links()}
