# SPDX-License-Identifier: Apache-2.0
"""`fex bench`: what openfex costs, beside what others do for the same work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openfex.cli.arguments import Flag, Json
from openfex.cli.paper import print_json, progress, table
from openfex.errors import InputError

if TYPE_CHECKING:
    from openfex.proof.bench.course import Outcome
    from openfex.proof.bench.rows import Result

EXAMPLES = """\
The rows, and their peers:

  tcp_stream   linux-bridge, direct-veth, macvlan-vepa
  round_trip   linux-bridge
  tcp_rr       linux-bridge
  udp_64_pps   linux-bridge, bare-xdp, ovs-userspace
  udp_64_pps_policy    nftables-bridge
  acl_1000     nftables-bridge, no-acl: the same path without rules
  host_cost    nftables-bridge
  total_cost   nftables-bridge
  scale_4094   2-veths: the same path with two vEths instead of 4,094
  profile_change_4094  -: its budget
  counters_4094        -: its budget
  lab_up_256   ip-batch: `ip -batch` that makes 256 veths in a bridge
  associate_256        -: its budget
  associate_one        -: its budget
  agent_idle           -: its budget

bare-xdp: the same hops and nothing else. nftables-bridge: a Linux bridge with
the same policy in nftables. ovs-userspace: Open vSwitch's own datapath.

A row's name means all its peers, all in their better setting. ratio is ours /
theirs: the median of the rounds' own ratios, and an interval that holds the
true one in 95 of 100 cases. Both meet the same noise, so trust the ratio more
than the values.

Examples:

  fex bench                        all rows, some twelve minutes
  fex bench --quick                three rounds each, some five minutes: a glance
  fex bench tcp_stream udp_64_pps  these two
  fex bench scale_4094 --burst 1   the hardest traffic there is for caches
  fex bench --json > bench.json    a list of results, for programs
  fex bench --plot bench.svg       a picture too

More: docs/guide/measuring.md"""

Rows = Annotated[str, Parameter(help="Only these rows; all if none is named.")]
Quick = Annotated[Flag, Parameter(help="3 rounds of each instead of 10.")]
Burst = Annotated[int, Parameter(help="Frames of 64 octets that a flow sends in a row.")]
Plot = Annotated[Path | None, Parameter(metavar="FILE", help="Draw the ratios into FILE too (SVG).")]


def bench(*rows: Rows, quick: Quick = False, burst: Burst = 64, plot: Plot = None, json: Json = False) -> int:
    """Measure what openfex costs, beside what others do for the same work.

    Ours and a peer take turns, round by round, on real frames in a lab of its own,
    which is removed at the end. Nothing else should run on the machine meanwhile.
    """
    from openfex.proof.bench import course, surroundings
    from openfex.proof.bench.rows import QUICK_ROUNDS, ROUNDS, choose

    chosen = choose(rows)
    if burst < 1:
        raise InputError("a flow sends at least one frame in a row", code="bad-burst")
    if plot is not None and not plot.parent.is_dir():
        raise InputError(f"there is no folder {plot.parent} for {plot.name}", code="bad-file")
    if (busy := surroundings.busy_share()) > surroundings.BUSY:
        print(f"fex: others use {busy:.0%} of this machine's CPUs: expect wide intervals", file=sys.stderr)
    with progress(quiet=json) as step:
        outcome = course.run(chosen, QUICK_ROUNDS if quick else ROUNDS, step, burst=burst)
    if plot is not None and outcome.results:
        _draw(outcome, plot)
    if json:
        print_json([one.describe() for one in outcome.results])
    elif outcome.results:
        print(surroundings.machine(), "", _table(outcome.results), sep="\n")
    for absence in outcome.absences:
        print(f"fex: {absence}", file=sys.stderr)
    return 1 if outcome.absences and (rows or not outcome.results) else 0


def _draw(outcome: Outcome, file: Path) -> None:
    from openfex.proof.bench import surroundings
    from openfex.proof.bench.plot import draw

    file.write_text(draw(outcome.results, surroundings.machine()), encoding="utf-8")


def _table(results: Sequence[Result]) -> str:
    from openfex.proof.bench.ratios import interval_words

    keys = ("row", "peer", "ours", "theirs", "unit", "ratio")
    interval = interval_words(min(one.found.rounds for one in results))
    columns = [*((key, key) for key in keys), (interval, "interval"), ("budget", "budget")]
    return table([_view(one) for one in results], columns)


def _view(one: Result) -> dict[str, object]:
    """A result as a line of the table."""
    found, budget = one.found, one.row.peers[one.peer]
    sign, word = (">=" if one.row.more else "<="), {True: "met", False: "missed", None: ""}[one.is_within_budget]
    return {
        "row": f"{one.row.name} {one.own_setting}".rstrip(),
        "peer": f"{one.peer} {one.setting}".rstrip(),
        "ours": f"{found.ours:.3g}",
        "theirs": f"{found.theirs:.3g}",
        "unit": one.row.unit,
        "ratio": f"{found.ratio:.2f}",
        "interval": f"{found.low:.2f} to {found.high:.2f}",
        "budget": f"{sign} {budget:.2f} {word}" if budget is not None else "",
    }
