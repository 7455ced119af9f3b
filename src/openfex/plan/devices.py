# SPDX-License-Identifier: Apache-2.0
"""Names of devices: none that the kernel or a lab needs itself, and none twice in one name space. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from openfex.errors import Problem
from openfex.plan.inventory import Inventory, Nic

_KERNEL = {
    "lo": "the loopback device of every name space",
    "all": "a word of the kernel's settings",
    "default": "a word of the kernel's settings",
}
"""Linux refuses `all` and `default`, which stand beside devices in /proc/sys/net/ipv4/conf."""
_IN_HOST = re.compile(r"f[0-9]+[pv][0-9]+")
_IN_BRIDGE = re.compile(r"uplink[0-9]+")


def _why_reserved(device: str, ours: re.Pattern[str] | None, what: str) -> str:
    if device in _KERNEL:
        return _KERNEL[device]
    return f"a name that a lab gives to {what} itself" if ours and ours.fullmatch(device) else ""


def check_port_devices(inventory: Inventory) -> Iterator[Problem]:
    """Network ports: beside them a bridge has its ends of the uplinks."""
    for document, network in inventory.networks:
        for name, bridge in network.bridges.items():
            for port in bridge.ports:
                if why := _why_reserved(port, _IN_BRIDGE, "the ends of uplinks"):
                    path = ("bridges", name, "ports", port)
                    yield document.problem("reserved-name", f"{port} is {why}", "name the port otherwise", path)


def check_host_devices(inventory: Inventory) -> Iterator[Problem]:
    """Uplinks, and NICs that stay in a host: beside them a host has its functions."""
    for document, host in inventory.hosts:
        held: dict[str, str] = {}
        for fabric, uplink in sorted(host.uplinks.items()):
            path = ("uplinks", fabric, "device")
            if why := _why_reserved(uplink.device, _IN_HOST, "functions"):
                yield document.problem("reserved-name", f"{uplink.device} is {why}", "name it otherwise", path)
            elif uplink.device in held:
                message = f"{uplink.device} is already the name of {held[uplink.device]}"
                yield document.problem("duplicate-device", message, "name each uplink otherwise", path)
            held.setdefault(uplink.device, f"uplink {fabric}")
        for nic in inventory.nics_of(document.name):
            if nic.in_host and not _is_tap(inventory, nic):
                yield from _check_in_host(nic, held)


def _check_in_host(nic: Nic, held: dict[str, str]) -> Iterator[Problem]:
    if why := _why_reserved(nic.name, _IN_HOST, "functions"):
        yield nic.problem("reserved-name", f"{nic.name} is {why}", "name the NIC otherwise")
    elif nic.name in held:
        message = f"{nic.name} is already the name of {held[nic.name]} in host {nic.machine.host}"
        yield nic.problem("duplicate-device", message, "name the NIC otherwise")
    held.setdefault(nic.name, nic.label)


def _is_tap(inventory: Inventory, nic: Nic) -> bool:
    """Whether a NIC can only be a TAP, whose device is called after the function."""
    adapters = inventory.adapters_of(nic.machine.host)
    named = adapters.get((nic.spec.function or "").partition("/")[0])
    backings = {one.backing for one in ([named] if named else adapters.values())}
    return backings == {"tap"}


def check_machine_devices(inventory: Inventory) -> Iterator[Problem]:
    """NICs of machines with a name space of their own, which has but a loopback device."""
    for nic in inventory.nics:
        if not nic.in_host and (why := _why_reserved(nic.name, None, "")):
            yield nic.problem("reserved-name", f"{nic.name} is {why}", "name the NIC otherwise")
