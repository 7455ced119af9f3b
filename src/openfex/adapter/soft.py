# SPDX-License-Identifier: Apache-2.0
"""A soft SR-IOV adapter: each function is a veth pair (or a TAP), one end of it the adapter's, the other the function.

It keeps the rules of a real adapter. Attributes are set from the adapter's side only; whatever the holder of a
function does to its own end changes nothing outside, because the tables of the datapath, not the end, say what the
function is. Ownership is written into the links' aliases, so that a later process knows them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace

from openfex.linux.links import Link
from openfex.linux.spaces import Spaces
from openfex.linux.sysctl import sysctl
from openfex.model.place import Place
from openfex.plan.objects import FunctionKey, FunctionSpec, NicKey, NicSpec, Spec, State

PF_MARK = "openfex:pf:"
FUNCTION_MARK = "openfex:function:"
TAP_QUEUE = 1000
LEFT_UNDONE = ("tx-checksum-ip-generic", "tx-checksum-sctp", "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
"""What a veth leaves to the next to do. XDP at its far end sees octets alone, and would send them on as they are."""
POLLED = "rx-gro"
"""A veth is polled, and so can take what XDP sends it, if it has GRO, or an XDP program of its own."""


def observe(spaces: Spaces) -> State:
    """The functions that there are, wherever in `spaces` they have gone, and those that are raised as NICs."""
    held: dict[str, list[tuple[str, Link]]] = {}
    sides: dict[FunctionKey, Link] = {}
    for netns, links in spaces.links().items():
        for link in links:
            if link.alias.startswith(FUNCTION_MARK):
                held.setdefault(link.alias.removeprefix(FUNCTION_MARK), []).append((netns, link))
            elif link.alias.startswith(PF_MARK):
                sides[FunctionKey(netns, link.alias.removeprefix(PF_MARK))] = link
    state: State = {}
    for key, side in sides.items():
        state.update(_observe_one(spaces, key, side, held))
    return state


def _observe_one(spaces: Spaces, key: FunctionKey, side: Link, held: Mapping[str, Sequence[tuple[str, Link]]]) -> State:
    """A mark alone proves nothing: whoever is root in a machine can write one. The end is where the pair leads."""
    tap = side.kind == "tun"
    pair = [
        one for one in held.get(key.name, ()) if one[1].peer_index == side.index and side.peer_index == one[1].index
    ]
    netns, end = pair[0] if pair and not tap else (key.netns, side)
    lost = end is side and not tap
    place = Place("", "") if lost else Place(netns, end.name)
    mtu = end.mtu if end.mtu == side.mtu else 0
    xdp = not (tap or lost) and gives_to_xdp(spaces, place, polled=True)
    state: State = {key: FunctionSpec(side.name, "tap" if tap else "veth", place, mtu, xdp)}
    if not lost and (side.up or end.up):
        mac, addresses = (None, ()) if tap else (end.mac, spaces.addresses(place))
        state[NicKey(*astuple(key))] = NicSpec(side.name, place, mac, addresses, side.up and end.up)
    return state


def gives_to_xdp(spaces: Spaces, place: Place, *, polled: bool = False) -> bool:
    """Whether a device sends what an XDP program can take; `polled`: and whether it takes what one sends."""
    return spaces.netlink(place.netns).has_features(place.device, _for_xdp(on=True, polled=polled))


def give_to_xdp(spaces: Spaces, place: Place, on: bool, *, polled: bool = False) -> None:
    """Have it do so, or not any more, in one step: a run that is killed leaves the one or the other."""
    spaces.netlink(place.netns).set_features(place.device, _for_xdp(on=on, polled=polled))


def _for_xdp(*, on: bool, polled: bool) -> dict[str, bool]:
    return dict.fromkeys(LEFT_UNDONE, not on) | ({POLLED: on} if polled else {})


def told_as(wanted: Spec | None, observed: Spec) -> Spec:
    """An observed NIC in the words of the wanted one: addresses that a machine gave itself are its own business."""
    if not (isinstance(wanted, NicSpec) and isinstance(observed, NicSpec)):
        return observed
    has_all = set(wanted.addresses) <= set(observed.addresses)
    return replace(observed, addresses=wanted.addresses) if has_all else observed


def carve(spaces: Spaces, key: FunctionKey, spec: FunctionSpec) -> None:
    """Make one function, down, where it is to be at once: moving a device costs the kernel 16 ms, making it there none.

    What bears its name already is what a killed run did not come to mark.
    """
    netlink = spaces.netlink(key.netns)
    if spec.backing == "tap":
        netlink.delete(spec.pf_device)
        netlink.add_tap(spec.pf_device, spec.mtu, vnet_hdr=True, txqueuelen=TAP_QUEUE)
        netlink.set(spec.pf_device, alias=PF_MARK + key.name)
        return
    place = spec.place
    with netlink.batch():
        netlink.delete(spec.pf_device)
        netlink.add_veth(spec.pf_device, place.device, mtu=spec.mtu, peer_netns=place.netns, alias=PF_MARK + key.name)
    if spec.xdp:
        give_to_xdp(spaces, place, True, polled=True)
    spaces.netlink(place.netns).set(place.device, alias=FUNCTION_MARK + key.name)


def move(spaces: Spaces, key: FunctionKey, old: FunctionSpec, spec: FunctionSpec) -> None:
    """Put a function where it belongs: down, and through the name spaces.

    What it was given at the old place is lost on the way, as it must be.
    """
    if old.place != spec.place:
        source = spaces.netlink(old.place.netns)
        source.set(old.place.device, up=False)
        elsewhere = spec.place.netns if spec.place.netns != old.place.netns else None
        source.set(old.place.device, netns=elsewhere, new_name=spec.place.device)
    if old.xdp != spec.xdp:
        give_to_xdp(spaces, spec.place, spec.xdp, polled=True)
    spaces.netlink(spec.place.netns).set(spec.place.device, mtu=spec.mtu)
    spaces.netlink(key.netns).set(spec.pf_device, mtu=spec.mtu)


def remove(spaces: Spaces, key: FunctionKey, spec: FunctionSpec) -> None:
    """Take a function away, wherever it is: both ends go with the adapter's."""
    spaces.netlink(key.netns).delete(spec.pf_device)


def raise_nic(spaces: Spaces, key: NicKey, old: NicSpec | None, spec: NicSpec) -> None:
    """Give a NIC what it is to have, then set it up, the machine's end first: what it says first is carried."""
    if spec.place.netns == key.netns:  # hosts are quiet by default, their own NICs are not
        sysctl(key.netns, f"net/ipv6/conf/{spec.place.device}/disable_ipv6", "0")
    target = spaces.netlink(spec.place.netns)
    gone = set(old.addresses) - set(spec.addresses) if old and old.place == spec.place else set()
    with target.batch():
        target.set(spec.place.device, mac=spec.mac)
        target.set(spec.place.device, up=True)
        for address in sorted(gone):
            target.delete_address(spec.place.device, address)
        for address in spec.addresses:
            target.add_address(spec.place.device, address)
    spaces.netlink(key.netns).set(spec.pf_device, up=True)


def lower_nic(spaces: Spaces, key: NicKey, spec: NicSpec) -> None:
    """Set a NIC down, the adapter's side first; it may be gone already, with its machine."""
    spaces.netlink(key.netns).set(spec.pf_device, up=False)
    spaces.netlink(spec.place.netns).set(spec.place.device, up=False)
