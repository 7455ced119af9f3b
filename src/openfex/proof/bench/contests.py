# SPDX-License-Identifier: Apache-2.0
"""The contests: for each row the lab, its peers, and what measures each of them. All of it is gone after the block.

Those whose frames the bench makes itself are in `frames.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from openfex.errors import UnsupportedError
from openfex.lab import lab as labs
from openfex.model.layout import Layout
from openfex.proof import peers as others
from openfex.proof.bench import agents, frames
from openfex.proof.bench.arena import Terms, arena, clear
from openfex.proof.bench.labs import full_adapter, pair
from openfex.proof.bench.policy import whole_profile
from openfex.proof.bench.rounds import OURS, Contest, Measure
from openfex.proof.cpus import available
from openfex.proof.kernel_bed import nic_place
from openfex.proof.streams import Ends, round_trip, tcp_stream, transactions

FUNCTIONS = 256
Instrument = Callable[[Ends], AbstractContextManager[Measure]]


def _ends(layout: Layout) -> Ends:
    """The two machines of the lab `pair`."""
    client, server = (nic_place(layout, binding).netns for binding in layout.bindings)
    return Ends(client, server, layout.bindings[1].addresses[0].split("/")[0])


def _on_one_cpu(instrument: Instrument) -> Instrument:
    """Both ends on one CPU: else waking the other one takes most of the time."""
    return lambda ends: instrument(replace(ends, cpu=available()[0]))


@contextmanager
def _between_ends(instrument: Instrument, terms: Terms) -> Iterator[Contest]:
    """Two machines of a host, and two name spaces of each peer, with the same instrument between them."""
    with arena(terms.lab) as stack:
        contest = Contest()
        contest.enter(OURS, stack.enter_context(instrument(_ends(labs.up(pair(terms.lab)).layout))))
        for peer in terms.peers:
            try:
                ends = others.BUILDERS[peer](terms.lab)
                if peer == others.BRIDGE:
                    others.call_netfilter(others.bridge_space(terms.lab), False)
                contest.enter(peer, stack.enter_context(instrument(ends)))
            except UnsupportedError as error:
                contest.absent[peer] = error
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
def lab_contest(terms: Terms) -> Iterator[Contest]:
    """A whole lab from nothing. What a measurement builds is removed before the next one, and not timed."""
    with arena(terms.lab):
        contest = Contest()
        contest.enter(OURS, partial(_lab_up, terms.lab))
        for peer in terms.peers:
            contest.enter(peer, partial(_veths_up, terms.lab))
        yield contest


CONTESTS: dict[str, Callable[[Terms], AbstractContextManager[Contest]]] = {
    "tcp_stream": partial(_between_ends, tcp_stream),
    "round_trip": partial(_between_ends, _on_one_cpu(round_trip)),
    "tcp_rr": partial(_between_ends, _on_one_cpu(transactions)),
    "udp_64_pps": frames.frames_contest,
    "udp_64_pps_policy": partial(frames.frames_contest, spec=whole_profile()),
    "acl_1000": frames.acl_contest,
    "host_cost": partial(frames.cost_contest, ("host",)),
    "total_cost": partial(frames.cost_contest, ("host", "bridge")),
    "scale_4094": frames.scale_contest,
    "profile_change_4094": frames.change_contest,
    "counters_4094": frames.read_contest,
    "lab_up_256": lab_contest,
    "associate_256": agents.cold_contest,
    "associate_one": agents.one_contest,
    "agent_idle": agents.idle_contest,
}
