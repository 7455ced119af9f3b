# SPDX-License-Identifier: Apache-2.0
"""Devices of this machine that are lent to a bridge: each the end of a cable that comes from a real host.

While it is lent a device is in the bridge's name space under the bridge's name for it. What it was is written into its
alias, so that a later process gives it back as it was found.
"""

from __future__ import annotations

from openfex.errors import NotFoundError
from openfex.linux.links import Link
from openfex.linux.netlink import Netlink
from openfex.linux.spaces import Spaces
from openfex.model.place import Place
from openfex.plan.objects import DeviceKey, DeviceSpec, State

MARK = "openfex:lent:"
"""Behind it stand its own name and MTU, and whether it was up."""


def observe(links: dict[str, list[Link]]) -> State:
    """The devices that are lent, wherever they are."""
    found = [(netns, link) for netns, those in links.items() for link in those if link.alias.startswith(MARK)]
    return {
        DeviceKey(_told(link)[0]): DeviceSpec(Place(netns, link.name), link.mtu if link.up else 0)
        for netns, link in found
    }


def lend(spaces: Spaces, key: DeviceKey, spec: DeviceSpec) -> None:
    """Take a device to its bridge. Raises NotFoundError."""
    with Netlink() as here:
        link = next((one for one in here.links() if one.name == key.name), None)
        if link is None:
            remedy = "name one that `ip link` shows, which nothing else uses"
            raise NotFoundError(f"this machine has no device {key.name}", code="no-such-device", remedy=remedy)
        mark = link.alias if link.alias.startswith(MARK) else f"{MARK}{link.name}:{link.mtu}:{'up' if link.up else ''}"
        here.set(key.name, alias=mark)
        here.set(key.name, up=False)
        here.set(key.name, netns=spec.place.netns, new_name=spec.place.device)
    spaces.netlink(spec.place.netns).set(spec.place.device, mtu=spec.mtu, up=True)


def change(spaces: Spaces, old: DeviceSpec, spec: DeviceSpec) -> None:
    """Where it is already: its name there, and its MTU."""
    there = spaces.netlink(spec.place.netns)
    if old.place.device != spec.place.device:
        there.set(old.place.device, up=False)
        there.set(old.place.device, new_name=spec.place.device)
    there.set(spec.place.device, mtu=spec.mtu, up=True)


def give_back(spaces: Spaces, spec: DeviceSpec) -> None:
    """Bring a device home, as it was found."""
    there = spaces.netlink(spec.place.netns)
    link = there.link(spec.place.device)
    name, mtu, was_up = _told(link)
    there.set(link.name, up=False)
    there.set(link.name, netns="", new_name=name)
    with Netlink() as here:
        here.set(name, mtu=mtu, up=was_up, alias="")


def _told(link: Link) -> tuple[str, int, bool]:
    name, _, rest = link.alias.removeprefix(MARK).partition(":")
    mtu, _, up = rest.partition(":")
    return name, int(mtu) if mtu.isdigit() else link.mtu, up == "up"
