# SPDX-License-Identifier: Apache-2.0
"""The part of a network that one real node is, of documents that are the same for all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from openfex.errors import DocumentError, NotFoundError, Problem, RefusedError
from openfex.model.documents import HostSpec
from openfex.model.layout import Layout
from openfex.model.networks import NetworkSpec
from openfex.model.reader import Reading, of_spec
from openfex.model.wording import choose, either
from openfex.plan.allotment import Allotment
from openfex.plan.layout import lay_out


def choose_node(kind: str, names: Sequence[str], name: str | None, own: str) -> str:
    """Which node a daemon is: the one named, else that called as this machine, else the only one.

    Raises NotFoundError "no-such-node", RefusedError "which-node".
    """
    if name is not None and name not in names:
        message = f"there is no {kind} {name} in these documents"
        raise NotFoundError(message, code="no-such-node", remedy=choose(name, names, f"{kind}s"))
    found = name or (own if own in names else "")
    if not found and len(names) != 1:
        known = f"--name {either(names)}" if names else f"write a {kind} document"
        message = f"none of {len(names)} {kind}s in these documents is called {own}, as this machine is"
        raise RefusedError(message, code="which-node", remedy=known)
    return found or names[0]


def bridges_of(reading: Reading) -> list[str]:
    """The bridges of a network's documents. Raises DocumentError, NotFoundError "no-bridge" where none can be."""
    networks = of_spec(reading, NetworkSpec)
    if not networks:
        if reading.problems:
            raise DocumentError(reading.problems)
        remedy = "write a network document, which names its bridges: `fex explain network`"
        raise NotFoundError("there is no bridge in these documents", code="no-bridge", remedy=remedy)
    return [name for _, network in networks for name in network.bridges]


def remotes_of(reading: Reading) -> list[str]:
    """The real hosts of a network's documents."""
    return [document.name for document, host in of_spec(reading, HostSpec) if host.remote]


def lay_out_bridge(reading: Reading, name: str, held: Allotment | None = None) -> Layout:
    """A bridge with the hosts at its cables. It is called as the bridge, and what it gives is its own.

    Raises DocumentError with everything that is wrong with the documents, or keeps the bridge from being a real one.
    """
    whole = lay_out(reading, held, {name})
    if problems := [*_unreal(reading, name)]:
        raise DocumentError(problems)
    hosts = []
    for host in whole.hosts:
        uplinks = tuple(one for one in host.uplinks if one.bridge == name)
        if uplinks:
            hosts.append(replace(host, uplinks=uplinks))
    bindings = tuple(one for one in whole.bindings if one.uplink.bridge == name)
    here = {one.machine for one in bindings}
    return replace(
        whole,
        lab=name,
        bridges=(whole.bridge(name),),
        hosts=tuple(hosts),
        machines=tuple(one for one in whole.machines if one.name in here),
        bindings=bindings,
        wires=(),
    )


def _unreal(reading: Reading, name: str) -> Iterator[Problem]:
    """What of a bridge is a lab's: ports without a device, hosts that no cable leads to."""
    for document, network in of_spec(reading, NetworkSpec):
        for port, spec in network.bridges[name].ports.items():
            if spec.device is None:
                message = f"nothing says which device of this machine port {port} of bridge {name} is"
                remedy = "write `device: eth2`, say, or take the port out"
                yield document.problem("port-needs-device", message, remedy, ("bridges", name, "ports", port))
    for document, host in of_spec(reading, HostSpec):
        if not host.remote and any(one.bridge == name for one in host.uplinks.values()):
            message = f"is a lab's own, and bridge {name} is to be a real one"
            remedy = "write `remote: true`, and the `port` where its cable ends"
            yield document.problem("bridge-needs-remote", message, remedy, ("uplinks",))
