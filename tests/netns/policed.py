# SPDX-License-Identifier: Apache-2.0
"""A lab whose ports have policy, and sockets inside its machines."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from openfex.datapath.profiles import read_hits
from openfex.datapath.tables import read_counters, read_drops
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux import netns
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.layout import Binding, Layout

DEADLINE_S = 10.0
HOST = """
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw, attachment: {attachment}}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: vic-1280, functions: 12}}
"""


def documents(
    lab: str, profiles: str, machines: Mapping[str, str], kind: str = "etag", attachment: str = "auto"
) -> str:
    """A lab with these profiles, and machines by name with what is said of their NIC."""
    parts = [f"kind: network\nname: {lab}\nspec: {{bridges: {{sw: {{ports: [up0]}}}}}}\n", profiles]
    parts.append(HOST.format(kind=kind, attachment=attachment))
    for name, nic in machines.items():
        parts.append(f"kind: machine\nname: {name}\nspec: {{host: h1, nics: {{eth0: {{{nic}}}}}}}\n")
    return "\n---\n".join(parts)


def binding_of(layout: Layout, machine: str) -> Binding:
    return next(one for one in layout.bindings if one.machine == machine)


@contextmanager
def inside(layout: Layout, machine: str) -> Iterator[None]:
    """Sockets that are made in the block are the machine's."""
    with netns.entered(netns_of(layout.lab, "machine", machine)):
        yield


def server(layout: Layout, machine: str, port: int) -> socket.socket:
    """A TCP socket that listens in a machine."""
    with inside(layout, machine):
        listening = socket.create_server(("0.0.0.0", port))
    listening.settimeout(DEADLINE_S)
    return listening


class Counts:
    """What the bridge of a lab counts, read from its kernel."""

    def __init__(self, workshop: Workshop, layout: Layout) -> None:
        self._node = workshop.node(netns_of(layout.lab, "bridge", "sw"))
        self._layout = layout

    def port(self, machine: str) -> PortCounters:
        """Of a machine's vEth."""
        return read_counters(self._node).get(binding_of(self._layout, machine).bridge_port, PortCounters())

    def drops(self, machine: str, reason: DropReason) -> int:
        """At a machine's vEth."""
        return read_drops(self._node)[binding_of(self._layout, machine).bridge_port, reason]

    def hits(self, profile: str) -> dict[tuple[str, int], int]:
        """By direction and rule of a profile, the first being 1."""
        number = next(one.number for one in self._layout.profiles if one.name == profile)
        found = read_hits(self._node)
        return {(hit.direction.name, hit.rule + 1): frames for hit, frames in found.items() if hit.profile == number}


@contextmanager
def counts_of(layout: Layout) -> Iterator[Counts]:
    """What the bridge of a lab that is up counts."""
    with Workshop(layout.lab) as workshop:
        yield Counts(workshop, layout)


def wait_until(holds: Callable[[], bool], what: str, *, patience_s: float = DEADLINE_S, pause_s: float = 0.0) -> None:
    """Look until it holds. `pause_s`: between two looks, where these cost what is looked at its CPU."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"{what} within {patience_s} s"
        time.sleep(pause_s)
