# SPDX-License-Identifier: Apache-2.0
"""A soft SR-IOV adapter: each function is a veth pair (or a TAP), one end of it the adapter's, the other the function.

It keeps the rules of a real adapter. Attributes are set from the adapter's side only; whatever the holder of a
function does to its own end changes nothing outside, because the tables of the datapath, not the end, say what the
function is. Ownership is written into the links' aliases, so that a later process knows them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from openfex.linux.links import Link
from openfex.linux.spaces import Spaces
from openfex.linux.sysctl import sysctl
from openfex.model.place import Place
from openfex.plan.objects import FunctionKey, FunctionSpec

PF_MARK = "openfex:pf:"
FUNCTION_MARK = "openfex:function:"
TAP_QUEUE = 1000


def _backing(link: Link) -> str:
    return "tap" if link.kind == "tun" else "veth"


def observe(spaces: Spaces) -> dict[FunctionKey, FunctionSpec]:
    """The functions that there are, wherever in `spaces` they have gone."""
    held: dict[str, tuple[str, Link]] = {}
    sides: dict[FunctionKey, Link] = {}
    for netns, links in spaces.links().items():
        for link in links:
            if link.alias.startswith(FUNCTION_MARK):
                held[link.alias.removeprefix(FUNCTION_MARK)] = (netns, link)
            elif link.alias.startswith(PF_MARK):
                sides[FunctionKey(netns, link.alias.removeprefix(PF_MARK))] = link
    return {key: _observe_one(spaces, key, side, held) for key, side in sides.items()}


def _observe_one(spaces: Spaces, key: FunctionKey, side: Link, held: Mapping[str, tuple[str, Link]]) -> FunctionSpec:
    backing = _backing(side)
    netns, end = (key.netns, side) if backing == "tap" else held.get(key.name, (key.netns, side))
    lost = end is side and backing == "veth"
    up = side.up and end.up
    return FunctionSpec(
        pf_device=side.name,
        backing=backing,
        place=Place("", "") if lost else Place(netns, end.name),
        mtu=end.mtu if end.mtu == side.mtu else 0,
        mac=end.mac if up and backing == "veth" else None,
        up=up,
        addresses=spaces.addresses(Place(netns, end.name)) if up and backing == "veth" else (),
    )


def is_as_wanted(wanted: FunctionSpec, observed: FunctionSpec) -> bool:
    """Whether an observed function is what was wanted.

    A TAP's MAC and addresses are its opener's business, and so are the addresses that a machine adds to its own NIC.
    """
    if wanted.backing == "tap":
        return replace(wanted, mac=None, addresses=()) == observed
    has_all = set(wanted.addresses) <= set(observed.addresses)
    return has_all and replace(wanted, addresses=observed.addresses) == observed


def carve(spaces: Spaces, key: FunctionKey, spec: FunctionSpec) -> None:
    """Make one function, down, where it is to be at once: moving a device costs the kernel 16 ms, making it there none.

    What bears its name already is what a killed run did not come to mark.
    """
    netlink = spaces.netlink(key.netns)
    netlink.delete(spec.pf_device)
    if spec.backing == "tap":
        netlink.add_tap(spec.pf_device, spec.mtu, vnet_hdr=True, txqueuelen=TAP_QUEUE)
        netlink.set(spec.pf_device, alias=PF_MARK + key.name)
        return
    place = spec.place
    netlink.add_veth(
        spec.pf_device, place.device, mtu=spec.mtu, peer_netns=place.netns, peer_mac=spec.mac, alias=PF_MARK + key.name
    )
    spaces.netlink(place.netns).set(place.device, alias=FUNCTION_MARK + key.name)


def hand_over(spaces: Spaces, key: FunctionKey, old: FunctionSpec, spec: FunctionSpec) -> None:
    """Set a function's attributes and put it where it belongs, from wherever it was."""
    host = spaces.netlink(key.netns)
    if spec.backing == "tap":
        host.set(spec.pf_device, mtu=spec.mtu, up=spec.up)
        return
    if old.place != spec.place:
        _move(spaces, old.place, spec)
    if spec.up and spec.place.netns == key.netns:  # hosts are quiet by default, their own NICs are not
        sysctl(key.netns, f"net.ipv6.conf.{spec.place.device}.disable_ipv6", "0")
    target = spaces.netlink(spec.place.netns)
    with target.batch():
        target.set(spec.place.device, mtu=spec.mtu, mac=spec.mac)
        target.set(spec.place.device, up=spec.up)
    if spec.up:
        with spaces.netlink(spec.place.netns).batch():
            for address in set(old.addresses) - set(spec.addresses) if old.place == spec.place else ():
                spaces.netlink(spec.place.netns).delete_address(spec.place.device, address)
            for address in spec.addresses:
                spaces.netlink(spec.place.netns).add_address(spec.place.device, address)
    host.set(spec.pf_device, mtu=spec.mtu, up=spec.up)


def _move(spaces: Spaces, at: Place, spec: FunctionSpec) -> None:
    """Down, and through the name spaces: what it was given at the old place is lost on the way, as it must be."""
    source = spaces.netlink(at.netns)
    source.set(at.device, up=False)
    if at.netns != spec.place.netns:
        source.set(at.device, netns=spec.place.netns, new_name=spec.place.device)
    else:
        source.set(at.device, new_name=spec.place.device)


def remove(spaces: Spaces, key: FunctionKey, spec: FunctionSpec) -> None:
    """Take a function away, wherever it is: both ends go with the adapter's."""
    spaces.netlink(key.netns).delete(spec.pf_device)
