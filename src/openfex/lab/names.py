# SPDX-License-Identifier: Apache-2.0
"""How everything of a lab is named, so that it can be found again after any crash: `fex_LAB_KIND_NAME`.

Documents have no underscores in their names, and the BPF file system takes no dots, hence the underscore.
"""

from __future__ import annotations

PREFIX = "fex_"
NODE_KINDS = ("host", "bridge", "machine", "network")
"""Name spaces of other kinds belong to who made them for a while beside a lab; only `down` removes them."""


def prefix_of(lab: str) -> str:
    """What the name spaces and pins of a lab begin with."""
    return f"{PREFIX}{lab}_"


def netns_of(lab: str, kind: str, name: str) -> str:
    """The name space of a node: `fex_lab_host_h1`."""
    return f"{prefix_of(lab)}{kind}_{name}"


def outside(lab: str) -> str:
    """The name space that stands for the network outside: the far ends of network ports that are not cabled."""
    return netns_of(lab, "network", "outside")


def lab_of(netns: str) -> str:
    """The lab of a name space; empty if it is none of a lab's."""
    parts = netns.removeprefix(PREFIX).split("_")
    return parts[0] if len(parts) > 2 else ""


def name_of(netns: str) -> str:
    """The node's own name by that of its name space."""
    return netns.split("_", 3)[3]


def role_of(netns: str) -> str:
    """The role of a node's datapath by the name of its name space."""
    return "bridge" if netns.split("_")[2] == "bridge" else "extender"


def is_node(netns: str) -> bool:
    """Whether a name space of a lab is one of its nodes."""
    return netns.split("_")[2] in NODE_KINDS
