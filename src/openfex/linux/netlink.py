# SPDX-License-Identifier: Apache-2.0
"""Door to links, addresses and filters of one name space, over rtnetlink: what `ip` and `tc` do, without starting them.

Every change is one message. Inside `with netlink.batch():` changes are kept and go out together in few system
calls; the kernel still does them one by one and in order, and the first refusal is raised at the end of the block.
Names are resolved to numbers when a change is kept, and where a name is only being made, what was kept before it is
sent first.
"""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

from openfex.errors import KernelError, NotFoundError
from openfex.linux import ethtool, tap
from openfex.linux import filters as tc
from openfex.linux import functions as vf
from openfex.linux import links as ip
from openfex.linux import netns as spaces
from openfex.linux import queues as qos
from openfex.linux.border import crossing
from openfex.linux.filters import Filter
from openfex.linux.functions import VfInfo
from openfex.linux.links import Link, LinkChange, LinkStatistics, name_of_link
from openfex.linux.queues import QueueClass
from openfex.linux.rtnetlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Request, RouteSocket
from openfex.model.functions import HwMode, Settings
from openfex.model.values import Mac

__all__ = ["Filter", "Link", "LinkStatistics", "Netlink"]

_GONE = frozenset({errno.ENODEV})
_THERE = frozenset({errno.EEXIST})
_NO_FILTER = frozenset({errno.ENOENT, errno.EINVAL})
"""A filter that is not there, and a link that has no clsact at all."""
_NO_QDISC = frozenset({errno.ENOENT, errno.EINVAL})
"""A link that has the queue that it was made with."""
_LOOK_AGAIN_S = 0.001
_FIRST_GROUP, _LAST_GROUP = 1 << 24, (1 << 31) - 1


class Netlink:
    """Links, addresses and filters of the name space `netns` (None: the one this thread is in now)."""

    def __init__(self, netns: str | None = None) -> None:
        with spaces.entered(netns):
            self._socket = RouteSocket()
            self._space = spaces.current()
        self._kept: list[Request] | None = None
        self._handles: dict[str, int] = {}

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
        self._release()
        if self._space >= 0:
            os.close(self._space)
            self._space = -1

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Keep the changes asked for in the block and send them together: `ip -batch`, `tc -batch`."""
        if self._kept is not None:
            yield
            return
        self._kept = []
        try:
            yield
            self._flush()
        finally:
            self._kept = None
            self._release()

    # Links

    def links(self) -> list[Link]:
        """All links: `ip -details link show`."""
        self._flush()
        request = Request(ip.RTM_GETLINK, ip.all_links(statistics=False), "list links")
        return [ip.read_link(answer) for answer in self._socket.dump(request)]

    def link(self, name: str) -> Link:
        """One link: `ip -details link show NAME`. Raises NotFoundError."""
        self._flush()
        request = Request(ip.RTM_GETLINK, ip.named(name_of_link(name)), f"show link {name}", missing=name)
        return ip.read_link(self._socket.get(request))

    def index(self, name: str) -> int:
        """The number of a link: `cat /sys/class/net/NAME/ifindex`. Raises NotFoundError."""
        try:
            return self._socket.index(name)
        except NotFoundError:
            if not self._kept:
                raise
        self._flush()
        return self._socket.index(name)

    def wait_ready(self, names: Sequence[str], deadline_s: float) -> list[str]:
        """Wait until links carry frames, at most `deadline_s` seconds; the names of those that then still do not.

        A link whose far end has just been raised says carrier at once, but drops what it is given until the kernel's
        own worker has run: mostly within a millisecond, later on a busy machine.
        """
        end = time.monotonic() + deadline_s
        ready = {link.name for link in self.links() if link.ready}
        waiting = [name for name in names if name not in ready]
        while waiting:  # asked one by one: newer kernels then do at once what their worker would
            waiting = [name for name in waiting if not self.link(name).ready]
            if not waiting or time.monotonic() >= end:
                break
            time.sleep(_LOOK_AGAIN_S)
        return waiting

    def add_veth(  # noqa: PLR0913 -- all of it goes into one message
        self,
        name: str,
        peer_name: str,
        *,
        mtu: int,
        mac: Mac | None = None,
        peer_mac: Mac | None = None,
        peer_netns: str | None = None,
        alias: str = "",
        up: bool = False,
    ) -> None:
        """Make a pair: `ip link add NAME mtu M type veth peer name PEER mtu M netns NS`.

        `up` raises this end with it; the kernel lets the peer be raised only when both are there (ENOTCONN).
        """
        place = None if peer_netns is None else self._handle(peer_netns)
        end = LinkChange(new_name=name, mtu=mtu, mac=mac, up=True if up else None)
        peer = LinkChange(new_name=peer_name, mtu=mtu, mac=peer_mac, netns_fd=place)
        flags = NLM_F_CREATE | NLM_F_EXCL
        requests = [Request(ip.RTM_NEWLINK, ip.veth(end, peer), f"add veth {name} with peer {peer_name}", flags)]
        if alias:
            requests.append(self._change(name, LinkChange(alias=alias)))
        self._do(*requests)

    def add_tap(self, name: str, mtu: int, vnet_hdr: bool = True, txqueuelen: int = 1000, alias: str = "") -> None:
        """Make a persistent TAP: `ip tuntap add NAME mode tap [vnet_hdr]`, `ip link set NAME mtu M txqueuelen Q`."""
        self._flush()
        with spaces.entered_fd(self._space):
            tap.make(name_of_link(name), vnet_hdr=vnet_hdr)
        self._do(self._change(name, LinkChange(mtu=mtu, txqueuelen=txqueuelen, alias=alias)))

    def delete(self, name: str) -> None:
        """Delete a link, or do nothing if it is not there: `ip link del NAME`."""
        self._do(Request(ip.RTM_DELLINK, ip.named(name_of_link(name)), f"delete link {name}", tolerated=_GONE))

    def delete_many(self, names: Sequence[str]) -> None:
        """Delete links together: `ip link set NAME group G` for each, then `ip link del group G`.

        The kernel waits for its readers once a request: 16 ms a link one by one, less than half a millisecond so.
        """
        if not names:
            return
        used = {link.group for link in self.links()}
        group = next(g for g in iter(lambda: random.randint(_FIRST_GROUP, _LAST_GROUP), 0) if g not in used)
        body = LinkChange(group=group)
        marks = [
            Request(ip.RTM_SETLINK, body.body(name=name_of_link(name)), f"mark link {name}", tolerated=_GONE)
            for name in names
        ]
        sweep = Request(ip.RTM_DELLINK, ip.in_group(group), f"delete {len(marks)} links", tolerated=_GONE)
        self._do(*marks, sweep)
        self._flush()

    def set(  # noqa: PLR0913 -- all of it goes into one message
        self,
        name: str,
        *,
        mtu: int | None = None,
        mac: Mac | None = None,
        up: bool | None = None,
        alias: str | None = None,
        new_name: str | None = None,
        netns: str | None = None,
        promiscuous: bool | None = None,
    ) -> None:
        """Change a link in one step: `ip link set NAME [mtu M] [address A] [up|down] [alias T] [name N] [netns NS]`.

        `promiscuous` is `promisc on|off`. `up` holds in the new name space if there is one. `netns` "" is this thread's
        own.
        """
        place = None if netns is None else self._handle(netns)
        self._do(self._change(name, LinkChange(mtu, mac, up, alias, new_name, netns_fd=place, promiscuous=promiscuous)))

    def statistics(self, name: str) -> LinkStatistics:
        """The counters of a link: `ip -statistics link show NAME`. Raises NotFoundError."""
        self._flush()
        request = Request(ip.RTM_GETLINK, ip.named(name_of_link(name)), f"read counters of {name}", missing=name)
        return ip.read_statistics(self._socket.get(request))[1]

    def all_statistics(self) -> dict[str, LinkStatistics]:
        """The counters of all links by name: `ip -statistics link show`."""
        self._flush()
        request = Request(ip.RTM_GETLINK, ip.all_links(statistics=True), "read counters")
        return dict(ip.read_statistics(answer) for answer in self._socket.dump(request))

    # Addresses

    def addresses(self, name: str) -> list[str]:
        """The addresses of a link, with prefix length: `ip address show dev NAME`."""
        self._flush()
        index = self.index(name)
        request = Request(ip.RTM_GETADDR, ip.addresses_of(index), f"list addresses of {name}", missing=name)
        found = [ip.read_address(answer) for answer in self._socket.dump(request)]
        return [cidr for at, cidr in found if at == index]

    def add_address(self, name: str, cidr: str) -> None:
        """Give a link an address, or leave it if it is there: `ip address replace CIDR dev NAME [nodad]`."""
        body = ip.address(self.index(name), cidr)
        flags = NLM_F_CREATE | NLM_F_REPLACE
        self._do(Request(ip.RTM_NEWADDR, body, f"add address {cidr} to {name}", flags, missing=name))

    def delete_address(self, name: str, cidr: str) -> None:
        """Take an address from a link, or do nothing if it is not there: `ip address del CIDR dev NAME`."""
        body = ip.address(self.index(name), cidr)
        gone = frozenset({errno.EADDRNOTAVAIL})
        self._do(Request(ip.RTM_DELADDR, body, f"delete address {cidr} of {name}", tolerated=gone, missing=name))

    # Filters

    def add_clsact(self, name: str) -> None:
        """Make a link's place for filters, or leave it if it is there: `tc qdisc add dev NAME clsact`."""
        flags = NLM_F_CREATE | NLM_F_EXCL
        body = tc.clsact(self.index(name))
        self._do(Request(tc.RTM_NEWQDISC, body, f"add clsact to {name}", flags, tolerated=_THERE, missing=name))

    def attach(self, name: str, program_fd: int, *, label: str, classid: int, priority: int = 1) -> None:
        """Attach a program at clsact ingress, in place of an older one of the same priority, without a gap.

        `tc filter replace dev NAME ingress protocol all prio P handle 1 bpf direct-action ... classid C`. The program
        reads `classid`, 16 bits, as skb->tc_classid. In a batch, `program_fd` must stay open until its end.
        """
        body = tc.bpf_filter(self.index(name), program_fd, label, classid, priority)
        self._do(Request(tc.RTM_NEWTFILTER, body, f"attach {label} to {name}", NLM_F_CREATE, missing=name))

    def filters(self, name: str) -> list[Filter]:
        """The BPF filters at ingress, first one first: `tc filter show dev NAME ingress`."""
        self._flush()
        body = tc.at_ingress(self.index(name))
        request = Request(tc.RTM_GETTFILTER, body, f"list filters of {name}", tolerated=_NO_FILTER, missing=name)
        found = [tc.read_filter(answer) for answer in self._socket.dump(request)]
        return sorted((one for one in found if one is not None), key=lambda one: one.priority)

    def detach(self, name: str, priority: int = 1) -> None:
        """Take a program away, or do nothing if it is not there: `tc filter del dev NAME ingress prio P`."""
        body = tc.named(self.index(name), priority)
        self._do(Request(tc.RTM_DELTFILTER, body, f"detach from {name}", tolerated=_NO_FILTER, missing=name))

    # Queues

    def classes(self, name: str) -> list[QueueClass]:
        """The classes of a link's HTB qdisc by number, none without one: `tc class show dev NAME`."""
        self._flush()
        request = Request(qos.RTM_GETTCLASS, qos.classes_of(self.index(name)), f"list queues of {name}", missing=name)
        found = [qos.read_class(answer) for answer in self._socket.dump(request)]
        return sorted((one for one in found if one is not None), key=lambda one: one.number)

    def queue_drops(self, name: str) -> int:
        """How many frames a link's qdisc has dropped: `tc -s qdisc show dev NAME root`."""
        self._flush()
        index, request = self.index(name), Request(qos.RTM_GETQDISC, qos.all_queues(), f"read the queue of {name}")
        return sum(drops for at, drops in map(qos.read_drops, self._socket.dump(request)) if at == index)

    def set_classes(self, name: str, classes: Sequence[QueueClass], default: int) -> None:
        """Make an HTB qdisc and its classes, in place of what was there: `tc qdisc add dev NAME root handle 1: htb`.

        What its predecessor holds is lost. None at all is the link's own kind of queue: `tc qdisc del dev NAME root`.
        """
        index = self.index(name)
        requests = [Request(qos.RTM_DELQDISC, qos.root(index), f"remove queues of {name}", tolerated=_NO_QDISC)]
        if classes:
            flags = NLM_F_CREATE | NLM_F_EXCL
            action = f"make queues of {name}"
            requests.append(Request(qos.RTM_NEWQDISC, qos.htb(index, default), action, flags, missing=name))
            requests += [Request(qos.RTM_NEWTCLASS, qos.htb_class(index, one), action, flags) for one in classes]
        self._do(*requests)

    # XDP

    def replace_xdp(self, name: str, program_fd: int, expected_fd: int) -> None:
        """Put a native XDP program on a link, in place of the expected one, in one step; -1 is no program.

        `bpftool net attach xdpdrv id N dev NAME overwrite`, but refused (EEXIST) where another one is there. Both must
        stay open until the end of a batch.
        """
        body = ip.xdp_program(self.index(name), program_fd, expected_fd)
        verb = "attach an XDP program to" if program_fd >= 0 else "detach the XDP program of"
        self._do(Request(ip.RTM_SETLINK, body, f"{verb} {name}", missing=name))

    # Functions

    def functions(self, name: str) -> list[VfInfo]:
        """The functions of a PF: `ip -details link show NAME`. Raises NotFoundError.

        With so many that their counters have no room in the message (EMSGSIZE), it is asked for without these.
        """
        self._flush()
        index = self.index(name)
        for statistics in (True, False):
            body, action = vf.functions_of(index, statistics=statistics), f"list functions of {name}"
            try:
                return vf.read_functions(self._socket.get(Request(ip.RTM_GETLINK, body, action, missing=name)))
            except KernelError as error:
                if error.errno != errno.EMSGSIZE or not statistics:
                    raise
        return []

    def set_function(self, name: str, function: int, change: Settings) -> None:
        """Set attributes of a function through its PF: `ip link set NAME vf N mac M vlan V ...`."""
        self._do(
            *(
                Request(ip.RTM_SETLINK, body, f"set {words} of function {function} of {name}", missing=name)
                for words, body in vf.changes(self.index(name), function, change)
            )
        )

    def bridge_modes(self) -> dict[int, HwMode | None]:
        """How embedded switches work, by their links' numbers: `bridge -details link show`."""
        self._flush()
        request = Request(ip.RTM_GETLINK, vf.all_bridge_modes(), "list embedded switches")
        return dict(vf.read_bridge_mode(answer) for answer in self._socket.dump(request))

    def set_bridge_mode(self, name: str, mode: HwMode) -> None:
        """Set how an adapter's embedded switch works: `bridge link set dev NAME hwmode veb|vepa`."""
        body = vf.bridge_mode(self.index(name), mode)
        self._do(Request(ip.RTM_SETLINK, body, f"set hwmode {mode.value} of {name}", missing=name))

    # Offloads

    def has_features(self, name: str, wanted: Mapping[str, bool]) -> bool:
        """Whether all of some offloads are as wanted: `ethtool -k NAME`."""
        self._flush()
        return ethtool.all_are(self._socket.fileno(), name, wanted)

    def set_features(self, name: str, wanted: Mapping[str, bool]) -> None:
        """Switch several offloads in one step: `ethtool -K NAME FEATURE on|off ...`."""
        self._flush()
        ethtool.switch(self._socket.fileno(), name, wanted)

    # Requests

    def _change(self, name: str, change: LinkChange) -> Request:
        """The request that changes a link: by name, so that it may still be in the making, except to rename it."""
        action = f"set link {name}"
        if change.new_name is None:
            return Request(ip.RTM_SETLINK, change.body(name=name_of_link(name)), action, missing=name)
        return Request(ip.RTM_SETLINK, change.body(index=self.index(name)), action, missing=name)

    def _do(self, *requests: Request) -> None:
        if self._kept is not None:
            self._kept.extend(requests)
            return
        try:
            self._socket.do(requests)
        finally:
            self._release()

    def _flush(self) -> None:
        """Send what a batch has kept so far."""
        if self._kept:
            kept, self._kept = self._kept, []
            try:
                self._socket.do(kept)
            finally:
                self._release()

    def _handle(self, name: str) -> int:
        """A name space (empty: this thread's own) held open until the requests that speak of it are sent."""
        if name not in self._handles:
            self._handles[name] = spaces.handle(name) if name else spaces.current()
        return self._handles[name]

    def _release(self) -> None:
        with crossing("close name spaces"):
            while self._handles:
                os.close(self._handles.popitem()[1])
