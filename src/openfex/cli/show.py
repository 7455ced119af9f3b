# SPDX-License-Identifier: Apache-2.0
"""`fex show`: what there is in a lab, as the kernel has it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from openfex.cli import columns
from openfex.cli import here as real
from openfex.cli import storage as disks
from openfex.cli.arguments import Flag, Json, Lab
from openfex.cli.paper import Row, print_json, print_rows, table

if TYPE_CHECKING:
    from openfex.lab.view.sight import Sight

EXAMPLES = """\
Examples:

  fex show ports
  fex show rules vm1/eth0
  fex show path vm1/eth0
  fex show drops --watch
  fex show adapters --catalogue --json"""

WATCH_S = 1.0
CLEAR = "\x1b[H\x1b[J"

Catalogue = Annotated[Flag, Parameter(help="The adapter models there are, with their limits, instead.")]
Here = Annotated[Flag, Parameter(help="The real ones of this machine (SR-IOV) instead of a lab's.")]
Nic = Annotated[str, Parameter(help="MACHINE/NIC, for example vm1/eth0.")]
Whose = Annotated[
    str,
    Parameter(help="PROFILE, PORT (sw-a/veth1.1, sw-a/up0) or MACHINE/NIC; without it all profiles that have rules."),
]
Watch = Annotated[
    Flag, Parameter(help="Look again every second, until Ctrl-C, and say what is new; with --json one line a look.")
]

app = App(name="show", help="Show what there is in a lab, as the kernel has it.", help_epilogue=EXAMPLES)


def _look(lab: str | None) -> Sight:
    from openfex.lab.lab import layout_of, the_lab
    from openfex.lab.view.look import look

    return look(layout_of(the_lab(lab)))


@app.command(help_epilogue="")
def adapters(*, catalogue: Catalogue = False, here: Here = False, lab: Lab = None, json: Json = False) -> None:
    """Adapters: model and limit, functions carved and bound.

    Examples: fex show adapters; fex show adapters --here
    """
    from openfex.lab.view.inventory import adapter_rows, catalogue_rows

    if here:
        real.show_adapters(json=json)
    elif catalogue:
        print_rows(catalogue_rows(), columns.CATALOGUE, "no models", as_json=json)
    else:
        print_rows(adapter_rows(_look(lab)), columns.ADAPTERS, "no adapters", as_json=json)


@app.command(help_epilogue="")
def storage(*, json: Json = False) -> None:
    """This machine's NVMe adapters and their storage functions: queues, disks.

    Examples: fex show storage; fex show storage --json
    """
    disks.show_storage(json=json)


@app.command(help_epilogue="")
def functions(*, here: Here = False, lab: Lab = None, json: Json = False) -> None:
    """Functions: free or bound, to which NIC, and where they are.

    Examples: fex show functions; fex show functions --here --json
    """
    from openfex.lab.view.inventory import function_rows

    if here:
        real.show_functions(json=json)
        return
    print_rows(function_rows(_look(lab)), columns.FUNCTIONS, "no functions", as_json=json)


@app.command(help_epilogue="")
def ports(*, lab: Lab = None, json: Json = False) -> None:
    """Ports of the bridges: a vEth a function, and network ports.

    As the kernel's tables have them, not as the documents want them; `note` says
    where the two differ. sw-a/veth1.5 is channel 5 of the first uplink of bridge
    sw-a.
    """
    from openfex.lab.view.ports import port_rows

    print_rows(port_rows(_look(lab)), columns.PORTS, "no ports", as_json=json, narrow=columns.PORTS_NARROW)


@app.command(help_epilogue="")
def profiles(*, lab: Lab = None, json: Json = False) -> None:
    """Profiles: access or trunk, VLANs, ports that have them."""
    from openfex.lab.lab import layout_of, the_lab
    from openfex.lab.view.inventory import profile_rows

    print_rows(profile_rows(layout_of(the_lab(lab))), columns.PROFILES, "no profiles", as_json=json)


@app.command(help_epilogue="")
def hosts(*, lab: Lab = None, json: Json = False) -> None:
    """Hosts: channel kind, uplinks, adapters, functions, machines."""
    from openfex.lab.view.inventory import host_rows

    print_rows(host_rows(_look(lab)), columns.HOSTS, "no hosts", as_json=json)


@app.command(help_epilogue="")
def machines(*, lab: Lab = None, json: Json = False) -> None:
    """Machines: their host, name space and NICs."""
    from openfex.lab.view.inventory import machine_rows

    print_rows(machine_rows(_look(lab)), columns.MACHINES, "no machines", as_json=json)


@app.command(help_epilogue="")
def bindings(*, lab: Lab = None, json: Json = False) -> None:
    """Bindings: which NIC is which function is which vEth."""
    from openfex.lab.view.inventory import binding_rows

    rows = binding_rows(_look(lab))
    print_rows(rows, columns.BINDINGS, "no bindings", as_json=json, narrow=columns.BINDINGS_NARROW)


@app.command(help_epilogue="")
def path(nic: Nic, /, *, lab: Lab = None, json: Json = False) -> None:
    """The way of a NIC's frames, hop by hop, and what drops them.

    Devices, programs, ports and counters, from the machine to the network.

    Example: fex show path vm1/eth0
    """
    from openfex.lab.view.inventory import binding_of
    from openfex.lab.view.look import look_at
    from openfex.lab.view.path import Path, head_lines, hop_rows, hops_of, path_view, tail_lines

    sight = _look(lab)
    binding = binding_of(sight.layout, nic)
    hops = hops_of(sight, binding)
    seen = Path(sight, binding, hops, look_at(sight.layout.lab, [hop.place for hop in hops if hop.place.device]))
    if json:
        print_json(path_view(seen))
        return
    print(*head_lines(binding), "", sep="\n")
    print(table(hop_rows(seen), columns.HOPS, columns.HOPS_NARROW))
    print("", *tail_lines(seen), sep="\n")


@app.command(help_epilogue="")
def nodes(*, lab: Lab = None, json: Json = False) -> None:
    """What each host and bridge has counted: in + replicated = out + drops.

    Of a bridge also the stations it knows, and how many it has learnt, seen move, forgotten, and had no room for.
    """
    from openfex.lab.view.inventory import node_rows

    print_rows(node_rows(_look(lab)), columns.NODES, "no nodes", as_json=json)


@app.command(help_epilogue="")
def neighbours(*, lab: Lab = None, json: Json = False) -> None:
    """Who is at the other end of each uplink, as agents know it by LLDP."""
    from openfex.lab.lab import the_lab
    from openfex.lab.staffing import neighbours as ask

    print_rows(ask(the_lab(lab)), columns.NEIGHBOURS, "nobody is heard", as_json=json)


@app.command(help_epilogue="")
def rules(name: Whose | None = None, /, *, watch: Watch = False, lab: Lab = None, json: Json = False) -> None:
    """Rules of profiles in order, and how many frames each decided.

    The first that matches decides; behind the last stands one that denies the
    rest. Counted a profile, whichever port a frame passed.

    Example: fex show rules vm1/eth0 --watch
    """
    from openfex.lab.view.rules import rule_view

    before = _look(lab)
    if not watch:
        _print_rules(rule_view(before, name), json)
        return
    _watch(before, lambda sight, older: _print_rules(rule_view(sight, name, older), json, watched=True))


def _print_rules(rows: Sequence[Row], json: bool, *, watched: bool = False) -> None:
    from openfex.lab.view.rules import profile_line, rows_in

    if json:
        print_json(rows, one_line=watched)
        return
    _clear(watched)
    shown = columns.RULES_WATCHED if watched else columns.RULES
    parts = []
    for row in rows:
        rules = rows_in(row, "rules")
        parts += [f"{profile_line(row)}\n{table(rules, shown) if rules else 'no rules: every frame passes'}"]
    print("\n\n".join(parts) or "no rules")


@app.command(help_epilogue="")
def programs(*, json: Json = False) -> None:
    """Programs: what each costs this kernel's verifier, and what it may cost.

    They are loaded for this, and let go; no lab is needed.
    """
    from openfex.datapath.costs import measure_costs

    print_rows([cost.row for cost in measure_costs()], columns.PROGRAMS, "no programs", as_json=json)


@app.command(help_epilogue="")
def drops(*, watch: Watch = False, lab: Lab = None, json: Json = False) -> None:
    """Dropped frames by node, port and reason.

    Each dropped frame is counted under exactly one reason.
    """
    from openfex.lab.view.inventory import drop_rows

    before = _look(lab)
    if not watch:
        print_rows(drop_rows(before), columns.DROPS, "nothing was dropped", as_json=json)
        return
    _watch(before, lambda sight, older: _print_drops(drop_rows(sight, older), json))


def _print_drops(rows: Sequence[Row], json: bool) -> None:
    if json:
        print_json(rows, one_line=True)
        return
    _clear(True)
    print(table(rows, columns.WATCHED) if rows else "nothing was dropped")


def _clear(watched: bool) -> None:
    print(CLEAR if watched and sys.stdout.isatty() else "", end="")


def _watch(before: Sight, show: Callable[[Sight, Sight], None]) -> None:
    """Look again and again, and show what there is beside what there was."""
    try:
        while True:
            sight = _look(before.layout.lab)
            show(sight, before)
            sys.stdout.flush()
            before = sight
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        return
