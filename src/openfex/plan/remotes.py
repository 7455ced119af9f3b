# SPDX-License-Identifier: Apache-2.0
"""Real cables, and the hosts at their other ends, of which only the bridge's ends are here: what can be said. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.documents import HostSpec, UplinkSpec
from openfex.model.reader import Document
from openfex.model.source import Place
from openfex.model.values import ChannelKind
from openfex.model.wording import either
from openfex.plan.inventory import Inventory

_KINDS = [kind.value for kind in ChannelKind if kind.is_schannel or kind is ChannelKind.VEPA]


def check_remotes(inventory: Inventory) -> Iterator[Problem]:
    """Hosts and their uplinks."""
    for document, host in inventory.hosts:
        if host.remote and host.channel not in _KINDS:
            message = "what is told apart there is by VLAN tags, or by MACs and VLANs"
            yield document.problem("remote-needs-schannel", message, f"write {either(_KINDS)}", ("channel",))
        if host.remote and (len(host.uplinks) > 1 or len(inventory.adapters_of(document.name)) > 1):
            message = "nothing says which adapter has which cable"
            remedy = "write a host for each adapter and its cable"
            yield document.problem("remote-needs-one", message, remedy, ("uplinks",))
        for fabric, uplink in sorted(host.uplinks.items()):
            bridge = inventory.bridges.get(uplink.bridge)
            yield from _check_uplink(document, host, fabric, uplink, foreign=bridge is not None and bridge.remote)
        if not host.remote and "agent" in host.model_fields_set:
            message = "a lab's own hosts always have agents"
            yield document.problem("agent-needs-remote", message, "write `remote: true`, or take it out", ("agent",))


def check_cables(inventory: Inventory) -> Iterator[Problem]:
    """Each device of this machine is the end of one cable: of one host's uplink, or of one network port."""
    held: dict[str, str] = {}
    for document, bridge, device, label, path in _ends(inventory):
        if inventory.is_here(bridge) and (other := held.setdefault(device, label)) != label:
            message = f"{device} is already the end of {other}"
            yield document.problem("duplicate-device", message, "a cable has an end of its own", path)
    for document, network in inventory.networks:
        for name, spec in network.bridges.items():
            for port, port_spec in spec.ports.items():
                if port_spec.mtu is not None and port_spec.device is None:
                    path = ("bridges", name, "ports", port, "mtu")
                    message = "only the MTU of a device of this machine can be said"
                    yield document.problem("mtu-needs-device", message, "write its `device`, or take it out", path)


def _ends(inventory: Inventory) -> Iterator[tuple[Document, str, str, str, Place]]:
    """Document, bridge and device of each end, what messages call it, and where it is written."""
    for document, network in inventory.networks:
        for name, bridge in network.bridges.items():
            for port, spec in bridge.ports.items():
                if spec.device is not None:
                    path = ("bridges", name, "ports", port, "device")
                    yield document, name, spec.device, f"network port {name}/{port}", path
    for document, host in inventory.hosts:
        for fabric, uplink in sorted(host.uplinks.items()):
            if uplink.port is not None:
                label = f"uplink {fabric} of host {document.name}"
                yield document, uplink.bridge, uplink.port, label, ("uplinks", fabric, "port")


def _check_uplink(
    document: Document, host: HostSpec, fabric: str, uplink: UplinkSpec, *, foreign: bool
) -> Iterator[Problem]:
    path = ("uplinks", fabric)
    if foreign and host.remote:
        message = f"neither host {document.name} nor bridge {uplink.bridge} is here, so their cable is not"
        yield document.problem("remote-both-ends", message, "write one of them alone", (*path, "bridge"))
        return
    if foreign and host.channel != ChannelKind.VEPA.value:
        message = f"bridge {uplink.bridge} is another's, and knows no {host.channel}"
        yield document.problem("remote-bridge-needs-vepa", message, "write `channel: vepa`", ("channel",))
    if (host.remote or foreign) and uplink.port is None:
        message = f"nothing says where the cable of a real {'host' if host.remote else 'bridge'} ends"
        yield document.problem("remote-needs-port", message, "write port: the name of a device of this machine", path)
    if not (host.remote or foreign) and uplink.port is not None:
        message = "the cables of a lab's own hosts have no device of this machine at their end"
        yield document.problem("port-needs-remote", message, "write `remote: true`, or take it out", (*path, "port"))
    if (host.remote or foreign) and uplink.rate is not None:
        message = "what a real cable carries is not held back here"
        yield document.problem("rate-needs-lab", message, "take rate and classes out", (*path, "rate"))


def check_remote_machines(inventory: Inventory) -> Iterator[Problem]:
    """What holds a real host's functions is there, and not started here; only that host has a PF of its own to bind."""
    remote = {document.name for document, host in inventory.hosts if host.remote}
    for document, machine in inventory.machines:
        if machine.host in remote and machine.type == "qemu":
            message = f"virtual machines of host {machine.host} are started there"
            yield document.problem("remote-machine", message, "write `type: namespace`, or leave it out", ("type",))
    kinds = {document.name: host.channel for document, host in inventory.hosts if host.remote}
    for nic in inventory.nics:
        kind = kinds.get(nic.machine.host)
        if (nic.spec.function or "").endswith("/pf") and kind not in _KINDS:
            message = f"host {nic.machine.host} is no real one: its adapters have no frames of their own"
            if kind is not None:
                message = f"by {kind} host {nic.machine.host} has no channel without a tag for its adapter's own frames"
            yield nic.problem("unknown-function", message, "name one by its number", "function")
