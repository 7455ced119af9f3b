# SPDX-License-Identifier: Apache-2.0
"""The contests: for each row the lab, its peers, and what measures each of them. All of it is gone after the block."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from openfex.errors import UnsupportedError
from openfex.lab import lab as labs
from openfex.lab.names import netns_of, prefix_of
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.model.layout import Binding, Layout
from openfex.model.place import Place
from openfex.proof import peers as others
from openfex.proof.bench.labs import FEW, MANY, XDP, full_adapter, pair, scale
from openfex.proof.bench.rounds import OURS, Contest, Measure
from openfex.proof.bench.traffic import Traffic, poll
from openfex.proof.cpus import available
from openfex.proof.kernel_bed import nic_place
from openfex.proof.streams import Ends, round_trip, tcp_stream

FRAMES = 300_000
"""Of one round: half a second or so, a thousand times what may still be under way at its end."""
FUNCTIONS = 256
VETHS, HOSTS = 4094, 16
SEED = 4094
TAKEN_BY_XDP = "taken by XDP"
Instrument = Callable[[Ends], AbstractContextManager[Measure]]


def clear(lab: str) -> None:
    """Remove everything of the bench, and wait until it is gone: the kernel would end name spaces meanwhile.

    Links go together and at once; what then is left of a name space costs nothing.
    """
    for space in netns.names(prefix_of(lab)):
        if netns.exists(space):
            with Netlink(space) as netlink:
                netlink.delete_many([link.name for link in netlink.links() if link.kind in ("veth", "macvlan")])
    labs.down(lab)


@contextmanager
def _arena(lab: str) -> Iterator[ExitStack]:
    """Where a contest takes place; what it opens is closed, and what it builds is removed."""
    with ExitStack() as stack:
        stack.callback(clear, lab)
        yield stack


def _ends(layout: Layout) -> Ends:
    """The two machines of the lab `pair`."""
    client, server = (nic_place(layout, binding).netns for binding in layout.bindings)
    return Ends(client, server, layout.bindings[1].addresses[0].split("/")[0])


def _over_peers(lab: str, peers: Sequence[str], instrument: Instrument) -> Iterator[Contest]:
    """Two machines of a host, and two name spaces of each peer, with the same instrument between them."""
    with _arena(lab) as stack:
        contest = Contest()
        contest.enter(OURS, stack.enter_context(instrument(_ends(labs.up(pair(lab)).layout))))
        for peer in peers:
            try:
                ends = others.BUILDERS[peer](lab)
                if peer == others.BRIDGE:
                    others.call_netfilter(others.bridge_space(lab), False)
                contest.enter(peer, stack.enter_context(instrument(ends)))
            except UnsupportedError as error:
                contest.absent[peer] = error
        yield contest


@contextmanager
def stream_contest(lab: str, peers: Sequence[str]) -> Iterator[Contest]:
    """One TCP stream, its ends on whatever CPUs the kernel likes: that changes the values, and hardly the ratio."""
    yield from _over_peers(lab, peers, tcp_stream)


@contextmanager
def round_trip_contest(lab: str, peers: Sequence[str]) -> Iterator[Contest]:
    """Messages there and back, both ends on one CPU: else waking the other CPU takes most of the time."""
    yield from _over_peers(lab, peers, lambda ends: round_trip(replace(ends, cpu=available()[0])))


def _far_end(lab: str, binding: Binding) -> Place:
    """The adapter's side of a machine's NIC."""
    return Place(netns_of(lab, "host", binding.uplink.host), binding.function.pf_device)


def _traffic(stack: ExitStack, layout: Layout, bindings: Sequence[Binding]) -> Traffic:
    """Every NIC sends to one other, and hears of one other, in no order that a cache would know."""
    poll([_far_end(layout.lab, binding) for binding in bindings])
    order = list(range(len(bindings)))
    random.Random(SEED).shuffle(order)
    flows = list(zip(order, order[1:] + order[:1], strict=True))
    traffic = Traffic([nic_place(layout, binding) for binding in bindings], flows)
    stack.callback(traffic.close)
    return traffic


def _rate(traffic: Traffic, by_xdp: bool) -> float:
    traffic.take_by_xdp(by_xdp)
    return traffic.rate(FRAMES)


@contextmanager
def frames_contest(lab: str, peers: Sequence[str]) -> Iterator[Contest]:
    """Short frames between two NICs; the Linux bridge with iptables in the way (the default of many) and without.

    They are taken at tc, as a network stack would get them, or by XDP, as AF_XDP would: each as it likes better.
    """
    with _arena(lab) as stack:
        contest = Contest()
        layout = labs.up(pair(lab, XDP)).layout
        ours = _traffic(stack, layout, layout.bindings)
        contest.enter(OURS, partial(_rate, ours, False), XDP)
        contest.enter(OURS, partial(_rate, ours, True), f"{XDP}, {TAKEN_BY_XDP}")
        for peer in peers:
            ends, bridge = others.linux_bridge(lab), others.bridge_space(lab)
            poll([Place(bridge, port) for port in others.PORTS])
            traffic = Traffic([Place(space, "eth0") for space in (ends.client, ends.server)], [(0, 1), (1, 0)])
            stack.callback(traffic.close)

            def measure(on: bool, by_xdp: bool = False, bridge: str = bridge, traffic: Traffic = traffic) -> float:
                others.call_netfilter(bridge, on)
                return _rate(traffic, by_xdp)

            contest.enter(peer, partial(measure, False), "without br_netfilter")
            contest.enter(peer, partial(measure, False, True), f"without br_netfilter, {TAKEN_BY_XDP}")
            if others.call_netfilter(bridge, True):
                contest.enter(peer, partial(measure, True), "with br_netfilter")
        yield contest


@contextmanager
def scale_contest(lab: str, peers: Sequence[str]) -> Iterator[Contest]:
    """Short frames among all vEths of a large bridge, and between the two of a small one beside it; on XDP wires."""
    with _arena(lab) as stack:
        contest = Contest()
        layout = labs.up(scale(lab, VETHS, HOSTS, XDP)).layout
        for name, bridge in ((OURS, MANY), *((peer, FEW) for peer in peers)):
            bindings = [binding for binding in layout.bindings if binding.uplink.bridge == bridge]
            setting = XDP if name == OURS else ""
            contest.enter(name, partial(_traffic(stack, layout, bindings).rate, FRAMES), setting)
        yield contest


def _lab_up(lab: str) -> float:
    """Seconds from the text of the documents to a lab that carries frames."""
    start = time.perf_counter()
    labs.up(full_adapter(lab, FUNCTIONS))
    taken = time.perf_counter() - start
    clear(lab)
    return taken


def _veths_up(lab: str) -> float:
    """Seconds for as many veths, both ends up, one end of each in a bridge, the other in another name space."""
    bridge, machine = others.make_spaces(lab, "ip-batch", ("bridge", "machine"))
    lines = ["link add br0 type bridge", "link set br0 up"]
    for number in range(FUNCTIONS):
        lines.append(f"link add port{number} type veth peer name eth{number} netns {machine}")
        lines.append(f"link set port{number} master br0 up")
    taken = others.ip_batch(bridge, lines)
    taken += others.ip_batch(machine, [f"link set eth{number} up" for number in range(FUNCTIONS)])
    clear(lab)
    return taken


@contextmanager
def lab_contest(lab: str, peers: Sequence[str]) -> Iterator[Contest]:
    """A whole lab from nothing. What a measurement builds is removed before the next one, and not timed."""
    with _arena(lab):
        contest = Contest()
        contest.enter(OURS, partial(_lab_up, lab))
        for peer in peers:
            contest.enter(peer, partial(_veths_up, lab))
        yield contest


CONTESTS: dict[str, Callable[[str, Sequence[str]], AbstractContextManager[Contest]]] = {
    "tcp_stream": stream_contest,
    "round_trip": round_trip_contest,
    "udp_64_pps": frames_contest,
    "scale_4094": scale_contest,
    "lab_up_256": lab_contest,
}
