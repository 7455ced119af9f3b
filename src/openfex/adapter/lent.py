# SPDX-License-Identifier: Apache-2.0
"""Devices of this machine that are lent to a bridge: each the end of a cable that comes from a real host.

A bridge takes frames for others, so the device is promiscuous: an adapter would keep from it what is for MACs and VLANs
that it was not told of. While it is lent a device is in the bridge's name space under the bridge's name for it. Whose
it is, and what it was, is written into its alias before anything else is done to it: so a later process of the same lab
finds it wherever a killed one left it, and gives it back as it was found.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from openfex.errors import KernelError, NotFoundError, OpenfexError, RefusedError
from openfex.linux.links import Link
from openfex.linux.netlink import Netlink
from openfex.linux.spaces import Spaces
from openfex.model.place import Place
from openfex.plan.objects import DeviceKey, DeviceSpec, State

MARK = "openfex:lent:"
HOME = ""
"""The name space that this process is in."""
TAKES_TAGS_OFF = ("rx-vlan-hw-parse", "rx-vlan-stag-hw-parse")
"""An adapter that takes VLAN tags off hands them over beside the octets, where XDP does not see them."""
MERGES = ("rx-lro",)
"""What cannot be undone for frames that go on."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What a device was: name, MTU, whether up and promiscuous, what of the features above was on, and its alias."""

    owner: str
    name: str
    mtu: int
    up: bool
    promiscuous: bool
    features: tuple[str, ...]
    alias: str = ""

    def mark(self) -> str:
        """As its alias while it is lent."""
        flags = "+".join(word for word, on in (("up", self.up), ("promisc", self.promiscuous)) if on)
        return MARK + ":".join((self.owner, self.name, str(self.mtu), flags, "+".join(self.features), self.alias))

    @classmethod
    def read(cls, link: Link) -> _Before:
        """From the alias; a part that is not told is left as it is now."""
        owner, name, mtu, flags, features, alias = [*link.alias.removeprefix(MARK).split(":", 5), *[""] * 5][:6]
        known = tuple(one for one in features.split("+") if one in (*TAKES_TAGS_OFF, *MERGES))
        told = int(mtu) if mtu.isdigit() else link.mtu
        return cls(owner, name or link.name, told, "up" in flags, "promisc" in flags, known, alias)


def observe(spaces: Spaces, links: Mapping[str, list[Link]], wanted: State) -> State:
    """The devices that are lent, wherever they are. One that never takes tags off is as it is wanted."""
    state: State = {}
    for place, link, before in _lent(spaces, links):
        key = DeviceKey(before.name)
        asked = wanted.get(key)
        xdp = isinstance(asked, DeviceSpec) and asked.xdp
        if place.netns and set(before.features) & set(TAKES_TAGS_OFF):
            xdp = not _on(spaces.netlink(place.netns), link.name, TAKES_TAGS_OFF)
        whole = place.netns and link.up and link.promiscuous
        state[key] = DeviceSpec(place, link.mtu if whole else 0, xdp)
    return state


def _lent(spaces: Spaces, links: Mapping[str, list[Link]]) -> Iterator[tuple[Place, Link, _Before]]:
    """In the lab's name spaces, and at home where a run was killed on the way."""
    with Netlink() as here:
        at_home = here.links()
    for netns, those in [*links.items(), (HOME, at_home)]:
        for link in those:
            if link.alias.startswith(MARK) and _Before.read(link).owner == spaces.prefix:
                yield Place(netns, link.name), link, _Before.read(link)


def _on(netlink: Netlink, device: str, features: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in features if netlink.has_features(device, {one: True}))


def lend(spaces: Spaces, key: DeviceKey, spec: DeviceSpec) -> None:
    """Take a device to its bridge. Raises NotFoundError, RefusedError where somebody uses it: then it is as before."""
    with Netlink() as here:
        link = next((one for one in here.links() if one.name == key.name), None)
        if link is None:
            remedy = "name one that `ip link` shows, which nothing else uses"
            raise NotFoundError(f"this machine has no device {key.name}", code="no-such-device", remedy=remedy)
        _check_free(here, link, spec.mtu)
        features = _on(here, link.name, (*TAKES_TAGS_OFF, *MERGES))
        before = _Before(spaces.prefix, link.name, link.mtu, link.up, link.promiscuous, features, link.alias)
        here.set(link.name, alias=before.mark())
        try:
            here.set(link.name, netns=spec.place.netns, new_name=spec.place.device)
        except BaseException:
            with suppress(OpenfexError):  # it is gone, or has gone over after all: the mark tells
                here.set(link.name, up=link.up, alias=link.alias)
            raise
    _shape(spaces.netlink(spec.place.netns), spec)


def _check_free(here: Netlink, link: Link, mtu: int) -> None:
    """What is lent loses its addresses, its bridge and its programs: so it must have none."""
    addresses = [one for one in here.addresses(link.name) if not one.startswith("fe80:")]
    uses = [f"it has {', '.join(addresses)}"] if addresses else []
    uses += ["it belongs to a bridge or bond"] if link.master else []
    uses += ["it has an XDP program"] if link.xdp else []
    if link.alias.startswith(MARK):
        uses.append(f"it is on its way to {_Before.read(link).owner.rstrip('_')}")
    if uses:
        remedy = "take that away first, or name another device"
        raise RefusedError(f"{link.name} is in use: {'; '.join(uses)}", code="device-in-use", remedy=remedy)
    if 0 < link.max_mtu < mtu:
        message = f"{link.name} takes an MTU of at most {link.max_mtu}, the uplink that ends there has {mtu}"
        raise RefusedError(message, code="mtu-too-large", remedy=f"write `mtu: {link.max_mtu}` at the uplink")


def change(spaces: Spaces, old: DeviceSpec, spec: DeviceSpec) -> None:
    """Where it is already: its name there, its MTU, and who takes its tags off."""
    there = spaces.netlink(spec.place.netns)
    if old.place.device != spec.place.device:
        there.set(old.place.device, up=False)
        there.set(old.place.device, new_name=spec.place.device)
    _shape(there, spec)


def _shape(there: Netlink, spec: DeviceSpec) -> None:
    device = spec.place.device
    features = _Before.read(there.link(device)).features
    wanted = {one: one in TAKES_TAGS_OFF and not spec.xdp for one in features}
    if wanted:
        there.set_features(device, wanted)
    there.set(device, mtu=spec.mtu, up=True, promiscuous=True)


def give_back(spaces: Spaces, spec: DeviceSpec) -> None:
    """Bring a device home, as it was found; under another name, where somebody has taken its own meanwhile."""
    name = spec.place.device
    if spec.place.netns:
        name = _bring_home(spaces.netlink(spec.place.netns), spec.place.device)
    with Netlink() as here:
        before = _Before.read(here.link(name))
        if before.features:
            here.set_features(name, dict.fromkeys(before.features, True))
        here.set(name, mtu=before.mtu, promiscuous=before.promiscuous)
        here.set(name, up=before.up, alias=before.alias)


def _bring_home(there: Netlink, device: str) -> str:
    """Its name there. Renamed before it moves: a name that is taken at home would leave it with ours."""
    link = there.link(device)
    own = _Before.read(link).name
    there.set(device, up=False)
    for name in (own, f"lent{link.index}"):
        if name != device:
            there.set(device, new_name=name)
            device = name
        try:
            there.set(device, netns=HOME)
        except KernelError as taken:
            if taken.errno != errno.EEXIST:
                raise
            continue
        return name
    raise RefusedError(
        f"{own} cannot come home: its name is taken", code="device-in-use", remedy="rename the other one"
    )
