# SPDX-License-Identifier: Apache-2.0
"""The rows of the bench: what is measured beside what, in which unit, and what was promised. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from openfex.errors import InputError
from openfex.proof.bench.ratios import Comparison

ROUNDS = 10
QUICK_ROUNDS = 3
NOBODY = "-"
"""Who is measured beside nobody is compared with its budget: that is `theirs`, and the ratio promised is 1."""


@dataclass(frozen=True)
class Row:
    """One kind of work, and its peers with the budget of each: the ratio promised, None where none was."""

    name: str
    unit: str
    peers: Mapping[str, float | None]
    what: str
    more: bool = True
    """More is better; else less is."""


@dataclass(frozen=True)
class Result:
    """A row beside one peer, measured."""

    row: Row
    peer: str
    found: Comparison
    setting: str = ""
    """Which of the peer's settings it was, where several were tried: the better one."""
    own_setting: str = ""
    """And which of ours."""

    @property
    def is_within_budget(self) -> bool | None:
        """True if the interval reaches what was promised; None if nothing was."""
        budget = self.row.peers[self.peer]
        if budget is None:
            return None
        return self.found.high >= budget if self.row.more else self.found.low <= budget

    def describe(self) -> dict[str, object]:
        """As `--json` prints it."""
        found = self.found
        values = {"ours": found.ours, "theirs": found.theirs}
        ratios = {"ratio": found.ratio, "low": found.low, "high": found.high}
        return {
            "name": self.row.name,
            "peer": self.peer,
            **{key: round(value, 4) for key, value in values.items()},
            "unit": self.row.unit,
            **{key: round(value, 4) for key, value in ratios.items()},
            "rounds": found.rounds,
        }


ROWS = {
    row.name: row
    for row in (
        Row(
            "tcp_stream",
            "Gbit/s",
            {"linux-bridge": 1.0, "direct-veth": 0.95, "macvlan-vepa": None},
            "one TCP stream, function to function of one host (iperf3)",
        ),
        Row(
            "round_trip",
            "us",
            {"linux-bridge": 1.1},
            "a message there and back, both ends on one CPU (sockperf)",
            more=False,
        ),
        Row(
            "tcp_rr",
            "k/s",
            {"linux-bridge": None},
            "requests that are answered over one TCP connection, both ends on one CPU (sockperf)",
        ),
        Row(
            "udp_64_pps",
            "Mpps",
            {"linux-bridge": 2.0, "bare-xdp": 0.8, "ovs-userspace": None},
            "frames of 64 octets, one CPU makes and carries them",
        ),
        Row(
            "udp_64_pps_policy",
            "Mpps",
            {"nftables-bridge": 2.0},
            "the same with the bench profile: 100 rules, rates both ways, source guard, counters",
        ),
        Row(
            "acl_1000",
            "Mpps",
            {"nftables-bridge": 1.0, "no-acl": 0.8},
            "the same with 1,000 rules, of which the last matches",
        ),
        Row(
            "host_cost",
            "ns",
            {"nftables-bridge": 0.5},
            "what such a frame costs in the host's programs, up and down",
            more=False,
        ),
        Row(
            "total_cost",
            "ns",
            {"nftables-bridge": None},
            "the same with the bridge's program",
            more=False,
        ),
        Row("scale_4094", "Mpps", {"2-veths": 0.9}, "the same among 4,094 vEths on 16 uplinks of one bridge"),
        Row(
            "profile_change_4094",
            "ms",
            {NOBODY: 1.0},
            "100 other rules for 4,094 vEths, and no frame lost",
            more=False,
        ),
        Row("counters_4094", "ms", {NOBODY: 1.0}, "all that 4,094 vEths have counted is read", more=False),
        Row("lab_up_256", "s", {"ip-batch": 2.0}, "256 functions carved, bound and up", more=False),
        Row("associate_256", "s", {NOBODY: 1.0}, "256 VSIs on one uplink, from nothing agreed to all up", more=False),
        Row("associate_one", "ms", {NOBODY: 1.0}, "one VSI, from the wish to its vEth, 99 of 100", more=False),
        Row("agent_idle", "%", {NOBODY: 1.0}, "of a core, an agent that keeps 4,094 VSIs alive", more=False),
    )
}


def choose(names: Sequence[str]) -> list[Row]:
    """The rows of these names, in the order of the catalogue; all if none is named. Raises InputError."""
    for name in names:
        if name not in ROWS:
            nearest = get_close_matches(name.lower().replace("-", "_"), ROWS, n=1, cutoff=0.5)
            hint = f"the nearest is {nearest[0]}; " if nearest else ""
            remedy = f"{hint}the rows are: {', '.join(ROWS)}"
            raise InputError(f"there is no row {name}", code="unknown-row", remedy=remedy)
    return [row for row in ROWS.values() if not names or row.name in names]
