# SPDX-License-Identifier: Apache-2.0
"""`fex show`: what there is in a lab, as the kernel has it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from openfex.cli.arguments import Flag, Json, Lab
from openfex.cli.paper import Column, Row, print_json, print_rows, table

if TYPE_CHECKING:
    from openfex.lab.view_sight import Sight

EXAMPLES = """\
Examples:

  fex show ports
  fex show path vm1/eth0
  fex show drops --watch
  fex show adapters --catalogue --json"""

WATCH_S = 1.0
CLEAR = "\x1b[H\x1b[J"

Catalogue = Annotated[Flag, Parameter(help="The adapter models there are, with their limits, instead.")]
Nic = Annotated[str, Parameter(help="MACHINE/NIC, for example vm1/eth0.")]
Watch = Annotated[
    Flag, Parameter(help="Look again every second, until Ctrl-C, and say what is new; with --json one line a look.")
]

app = App(name="show", help="Show what there is in a lab, as the kernel has it.", help_epilogue=EXAMPLES)


def _columns(*keys: str) -> tuple[Column, ...]:
    return tuple((key.replace("_", " "), key) for key in keys)


def _vlans(row: Row) -> object:
    """VLANs as a table has them: `10`, or on a trunk what is allowed and what is native."""
    if row["trunk"] is None:
        return row["vlan"] if row["vlan"] is None else str(row["vlan"])
    return f"{row['trunk']}, native {row['vlan']}" if row["vlan"] else row["trunk"]


CATALOGUE = _columns("model", "limit", "storage", "what")
ADAPTERS = _columns("name", "host", "model", "backing", "limit", "nic", "storage", "bound")
FUNCTIONS = _columns("name", "host", "purpose", "channel", "state", "nic", "mac", "where", "note")
PORTS: tuple[Column, ...] = (
    *_columns("name", "channel", "host", "function", "nic", "state", "profile"),
    ("vlan", _vlans),
    *_columns("mac", "pin"),
    ("in frames/octets", lambda row: _in(row)),
    ("out", lambda row: _out(row)),
    *_columns("drops", "note"),
)
PROFILES: tuple[Column, ...] = (*_columns("name", "mode"), ("vlan", _vlans), *_columns("ports"))
HOSTS = _columns("name", "channel", "uplinks", "datapath", "adapters", "functions", "bound", "machines")
MACHINES = _columns("name", "host", "type", "namespace", "state", "nics")
BINDINGS = _columns("name", "function", "port", "fabric", "state", "profile", "vlan", "mac", "addresses", "generation")
DROPS = _columns("node", "port", "reason", "frames", "meaning")
WATCHED = _columns("node", "port", "reason", "frames", "new", "meaning")
HOPS: tuple[Column, ...] = (
    *_columns("hop", "what"),
    ("device", lambda row: _lines(f"{row['node']}:{row['device']}", _link(row), row["mac"]) if row["device"] else None),
    ("program", lambda row: _lines(row["program"], f"id {row['program_id']}") if row["program"] else None),
    ("port", lambda row: _lines(row["port"], f"number {row['number']}", row["state"]) if row["port"] else None),
    ("frames/octets", lambda row: _lines(f"in {_in(row)}", f"out {_out(row)}") if row["port"] else None),
    *_columns("drops", "lost"),
)


def _in(row: Row) -> str:
    return f"{row['in_frames']}/{row['in_octets']}"


def _out(row: Row) -> str:
    return f"{row['out_frames']}/{row['out_octets']}"


def _link(row: Row) -> str:
    return f"{row['link']}, ifindex {row['ifindex']}, MTU {row['mtu']}" if row["ifindex"] else str(row["link"])


def _lines(*parts: object) -> list[object]:
    return [part for part in parts if part]


def _look(lab: str | None) -> Sight:
    from openfex.lab.lab import layout_of, the_lab
    from openfex.lab.view_look import look

    return look(layout_of(the_lab(lab)))


@app.command(help_epilogue="")
def adapters(*, catalogue: Catalogue = False, lab: Lab = None, json: Json = False) -> None:
    """Adapters: model and limit, functions carved and bound."""
    from openfex.lab.view import adapter_rows, catalogue_rows

    if catalogue:
        print_rows(catalogue_rows(), CATALOGUE, "no models", as_json=json)
    else:
        print_rows(adapter_rows(_look(lab)), ADAPTERS, "no adapters", as_json=json)


@app.command(help_epilogue="")
def functions(*, lab: Lab = None, json: Json = False) -> None:
    """Functions: free or bound, to which NIC, and where they are."""
    from openfex.lab.view import function_rows

    print_rows(function_rows(_look(lab)), FUNCTIONS, "no functions", as_json=json)


@app.command(help_epilogue="")
def ports(*, lab: Lab = None, json: Json = False) -> None:
    """Ports of the bridges: a vEth a function, and network ports.

    As the kernel's tables have them, not as the documents want them. sw-a/veth1.5 is channel 5 of the first uplink of bridge sw-a. `note` says where the documents say otherwise.
    """
    from openfex.lab.view_ports import port_rows

    print_rows(port_rows(_look(lab)), PORTS, "no ports", as_json=json)


@app.command(help_epilogue="")
def profiles(*, lab: Lab = None, json: Json = False) -> None:
    """Profiles: access or trunk, VLANs, ports that have them."""
    from openfex.lab.lab import layout_of, the_lab
    from openfex.lab.view import profile_rows

    print_rows(profile_rows(layout_of(the_lab(lab))), PROFILES, "no profiles", as_json=json)


@app.command(help_epilogue="")
def hosts(*, lab: Lab = None, json: Json = False) -> None:
    """Hosts: channel kind, uplinks, adapters, functions, machines."""
    from openfex.lab.view import host_rows

    print_rows(host_rows(_look(lab)), HOSTS, "no hosts", as_json=json)


@app.command(help_epilogue="")
def machines(*, lab: Lab = None, json: Json = False) -> None:
    """Machines: their host, name space and NICs."""
    from openfex.lab.view import machine_rows

    print_rows(machine_rows(_look(lab)), MACHINES, "no machines", as_json=json)


@app.command(help_epilogue="")
def bindings(*, lab: Lab = None, json: Json = False) -> None:
    """Bindings: which NIC is which function is which vEth."""
    from openfex.lab.view import binding_rows

    print_rows(binding_rows(_look(lab)), BINDINGS, "no bindings", as_json=json)


@app.command(help_epilogue="")
def path(nic: Nic, /, *, lab: Lab = None, json: Json = False) -> None:
    """The way of a NIC's frames, hop by hop, and what drops them.

    Devices, programs, ports and counters, from the machine to the network.

    Example: fex show path vm1/eth0
    """
    from openfex.lab.view import binding_of
    from openfex.lab.view_look import look_at
    from openfex.lab.view_path import Path, head_lines, hop_rows, hops_of, path_view, tail_lines

    sight = _look(lab)
    binding = binding_of(sight.layout, nic)
    hops = hops_of(sight, binding)
    seen = Path(sight, binding, hops, look_at(sight.layout.lab, [hop.place for hop in hops if hop.place.device]))
    if json:
        print_json(path_view(seen))
        return
    print(*head_lines(binding), "", sep="\n")
    print(table(hop_rows(seen), HOPS))
    print("", *tail_lines(seen), sep="\n")


@app.command(help_epilogue="")
def drops(*, watch: Watch = False, lab: Lab = None, json: Json = False) -> None:
    """Dropped frames by node, port and reason.

    Each dropped frame is counted under exactly one reason.
    """
    from openfex.lab.view import drop_rows

    before = _look(lab)
    if not watch:
        print_rows(drop_rows(before), DROPS, "nothing was dropped", as_json=json)
        return
    try:
        while True:
            sight = _look(before.layout.lab)
            _print_watched(drop_rows(sight, before), json)
            before = sight
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        return


def _print_watched(rows: Sequence[Row], json: bool) -> None:
    if json:
        print_json(rows, one_line=True)
    else:
        clear = CLEAR if sys.stdout.isatty() else ""
        print(clear + (table(rows, WATCHED) if rows else "nothing was dropped"))
    sys.stdout.flush()
