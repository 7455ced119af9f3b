# SPDX-License-Identifier: Apache-2.0
"""Devices of this machine that are lent to a bridge: each the end of a cable that comes from a real host.

A bridge takes frames for others, so the device is promiscuous: an adapter would keep from it what is for MACs and VLANs
that it was not told of. While it is lent a device is in the bridge's name space under the bridge's name for it. What it
was is written into its alias, so that a later process gives it back as it was found.
"""

from __future__ import annotations

from dataclasses import dataclass

from openfex.errors import NotFoundError
from openfex.linux.links import Link
from openfex.linux.netlink import Netlink
from openfex.linux.spaces import Spaces
from openfex.model.place import Place
from openfex.plan.objects import DeviceKey, DeviceSpec, State

MARK = "openfex:lent:"
TAKES_TAGS_OFF = ("rx-vlan-hw-parse", "rx-vlan-stag-hw-parse")
"""An adapter that takes VLAN tags off hands them over beside the octets, where XDP does not see them."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What a device was: its name and MTU, whether it was up and promiscuous, and what of `TAKES_TAGS_OFF` was on."""

    name: str
    mtu: int
    up: bool
    promiscuous: bool
    features: tuple[str, ...]

    def mark(self) -> str:
        """As its alias while it is lent."""
        flags = "+".join(word for word, on in (("up", self.up), ("promisc", self.promiscuous)) if on)
        words = (self.name, str(self.mtu), flags, "+".join(self.features))
        return MARK + ":".join(words)

    @classmethod
    def read(cls, link: Link) -> _Before:
        """From the alias; a part that is not told is left as it is now."""
        name, mtu, flags, features = [*link.alias.removeprefix(MARK).split(":"), "", "", ""][:4]
        known = tuple(one for one in features.split("+") if one in TAKES_TAGS_OFF)
        return cls(name, int(mtu) if mtu.isdigit() else link.mtu, "up" in flags, "promisc" in flags, known)


def observe(spaces: Spaces, links: dict[str, list[Link]], wanted: State) -> State:
    """The devices that are lent, wherever they are. One that never takes tags off is as it is wanted."""
    state: State = {}
    for netns, link in ((netns, link) for netns, those in links.items() for link in those):
        if not link.alias.startswith(MARK):
            continue
        before, key = _Before.read(link), DeviceKey(_Before.read(link).name)
        asked = wanted.get(key)
        xdp = isinstance(asked, DeviceSpec) and asked.xdp
        if before.features:
            xdp = not _taken_off(spaces.netlink(netns), link.name)
        whole = link.up and link.promiscuous
        state[key] = DeviceSpec(Place(netns, link.name), link.mtu if whole else 0, xdp)
    return state


def _taken_off(netlink: Netlink, device: str) -> tuple[str, ...]:
    return tuple(one for one in TAKES_TAGS_OFF if netlink.has_features(device, {one: True}))


def _before(here: Netlink, link: Link) -> _Before:
    return _Before(link.name, link.mtu, link.up, link.promiscuous, _taken_off(here, link.name))


def lend(spaces: Spaces, key: DeviceKey, spec: DeviceSpec) -> None:
    """Take a device to its bridge. Raises NotFoundError."""
    with Netlink() as here:
        link = next((one for one in here.links() if one.name == key.name), None)
        if link is None:
            remedy = "name one that `ip link` shows, which nothing else uses"
            raise NotFoundError(f"this machine has no device {key.name}", code="no-such-device", remedy=remedy)
        if not link.alias.startswith(MARK):
            here.set(key.name, alias=_before(here, link).mark())
        here.set(key.name, up=False)
        here.set(key.name, netns=spec.place.netns, new_name=spec.place.device)
    _shape(spaces.netlink(spec.place.netns), spec)


def change(spaces: Spaces, old: DeviceSpec, spec: DeviceSpec) -> None:
    """Where it is already: its name there, its MTU, and who takes its tags off."""
    there = spaces.netlink(spec.place.netns)
    if old.place.device != spec.place.device:
        there.set(old.place.device, up=False)
        there.set(old.place.device, new_name=spec.place.device)
    _shape(there, spec)


def _shape(there: Netlink, spec: DeviceSpec) -> None:
    device = spec.place.device
    before = _Before.read(there.link(device)).features
    if before:
        there.set_features(device, dict.fromkeys(before, not spec.xdp))
    there.set(device, mtu=spec.mtu, up=True, promiscuous=True)


def give_back(spaces: Spaces, spec: DeviceSpec) -> None:
    """Bring a device home, as it was found."""
    there = spaces.netlink(spec.place.netns)
    link = there.link(spec.place.device)
    before = _Before.read(link)
    if before.features:
        there.set_features(link.name, dict.fromkeys(before.features, True))
    there.set(link.name, up=False)
    there.set(link.name, netns="", new_name=before.name)
    with Netlink() as here:
        here.set(before.name, mtu=before.mtu, up=before.up, promiscuous=before.promiscuous, alias="")
