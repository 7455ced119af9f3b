# SPDX-License-Identifier: Apache-2.0
"""`fex lab`: a whole datacentre on this machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from openfex.cli.arguments import File, Flag, Json, Lab, lab_name, read_text
from openfex.cli.failure import Misuse
from openfex.cli.paper import Column, print_json, print_rows, progress

EXAMPLES = """\
Examples:

  fex lab up examples/two-hosts.yaml
  fex lab status
  fex lab exec vm1 ip address
  fex lab down"""

app = App(name="lab", help="Build a datacentre on this machine, look into it, take it down.", help_epilogue=EXAMPLES)

STATUS: tuple[Column, ...] = (("node", "kind"), ("name", "name"), ("state", "state"), ("missing", "missing"))
NOT_RUNNABLE, NOT_FOUND = 126, 127
"""What shells say of a command that cannot be started."""

Foreground = Annotated[Flag, Parameter(help="Stay until Ctrl-C or SIGTERM, then take the lab down.")]
All = Annotated[Flag, Parameter(help="Every lab on this machine.")]
Machine = Annotated[str, Parameter(help="A machine of the lab; a host or a bridge will do as well.")]
Migrant = Annotated[str, Parameter(help="A machine of the lab that is a name space of its own.")]
Node = Annotated[str, Parameter(help="Only the agent of this host or bridge.")]
Descriptor = Annotated[int | None, Parameter(show=False)]
Target = Annotated[str, Parameter(help="The host it is to be on.")]
Program = Annotated[str, Parameter(help="The program to run there.")]
Arguments = Annotated[str, Parameter(help="Its arguments, dashes and all.")]


@app.command(help_epilogue="")
def up(file: File, /, *, foreground: Foreground = False, json: Json = False) -> None:
    """Build what FILE says, from whatever there is of it already.

    What is right stays as it is; what fails is undone whole.

    Example: fex lab up examples/two-hosts.yaml
    """
    if foreground:  # a shell starts what is in its background deaf to SIGINT
        signal.signal(signal.SIGINT, signal.default_int_handler)
    bring_up(*read_text(file), foreground=foreground, json=json)


def bring_up(text: str, name: str, *, foreground: bool = False, json: bool = False) -> None:
    """Build what a text of documents says; `name` is what messages call it."""
    from openfex.lab import lab as labs
    from openfex.lab.view.plan import report_line, report_view

    start = time.monotonic()
    with progress(quiet=json) as step:
        report = labs.up(text, name, step)
    lab, duration_s = report.layout.lab, time.monotonic() - start
    try:
        if json:
            print_json(report_view(lab, report.operations, report.absent, duration_s))
        else:
            print(report_line(lab, report.operations, report.absent, duration_s))
        if foreground:
            _stay(json)
    except (KeyboardInterrupt, SystemExit):
        if not foreground:
            raise
    finally:
        if foreground:
            _take_down([lab], quiet=json)


def _stay(quiet: bool) -> None:
    """Wait for Ctrl-C, or for SIGTERM, which `app.main` makes a SystemExit."""
    if not quiet:
        print("it stays until Ctrl-C, then it is taken down")
    sys.stdout.flush()
    while True:
        signal.pause()


def _take_down(names: Sequence[str], *, quiet: bool) -> tuple[dict[str, list[str]], float]:
    """Take labs down, and say so; returns what was removed, and how long it took."""
    from openfex.lab import lab as labs
    from openfex.lab.view.plan import down_line
    from openfex.linux.signals import undisturbed

    start = time.monotonic()
    with undisturbed():
        removed = {name: labs.down(lab_name(name)) for name in names}
    duration_s = time.monotonic() - start
    for name, what in removed.items() if not quiet else ():
        print(down_line(name, what, duration_s))
    return removed, duration_s


@app.command(help_epilogue="")
def down(lab: Lab = None, *, all: All = False, json: Json = False) -> None:  # noqa: A002 -- the option's name
    """Remove everything of a lab, whatever state it is in.

    Nothing left to remove is no error.

    Examples: fex lab down; fex lab down LAB; fex lab down --all
    """
    from openfex.lab import lab as labs

    if lab is not None and all:
        raise Misuse("say either which lab or --all", "fex lab down")
    if lab is not None:
        names = [lab]
    elif all or not labs.labs():
        names = labs.labs()
    else:
        names = [labs.the_lab()]
    removed, duration_s = _take_down(names, quiet=json)
    if json:
        gone = [one for what in removed.values() for one in what]
        print_json({"labs": list(removed), "removed": gone, "duration_s": round(duration_s, 3)})
    elif not removed:
        print("no lab is up: nothing to do")


@app.command(help_epilogue="")
def agents(lab: Lab = None, /, *, node: Node = "", go: Descriptor = None, ready: Descriptor = None) -> None:
    """Be the agents of a lab, until SIGTERM or Ctrl-C.

    `fex lab up` starts them, and starts others when they end by themselves; this is for when nobody does. They
    take up what they find, and change nothing when they end. What they do is written as a JSON object a line.

    Examples: fex lab agents; fex lab agents --node h1
    """
    from openfex.lab import lab as labs
    from openfex.lab import staffing
    from openfex.lab.watch import watch

    labs.prepare()
    if go is not None:
        staffing.shed([go, *([] if ready is None else [ready])])
        if not os.read(go, 1):
            return  # who has started this does not need it
        os.close(go)
        name = labs.the_lab(lab)
        watch(name, lambda ready: labs.serve(name, ready), ready)
        return
    labs.serve(labs.the_lab(lab), ready, node)


@app.command(help_epilogue="")
def adapters(host: Target, /, *, lab: Lab = None, json: Json = False) -> None:
    """Say what the adapters of a real host must be, as documents.

    Give them to `fex apply` on that host: each function's port VLAN is then its
    channel, and its MAC the one that its port takes.

    Example: fex lab adapters h1 > adapters.yaml
    """
    from openfex.formats.document import document, write_document
    from openfex.lab import lab as labs
    from openfex.plan.schannels import wishes_for

    wishes = list(wishes_for(labs.layout_of(labs.the_lab(lab)), host))
    if json:
        print_json([document(one) for one in wishes])
    else:
        print("---\n".join(map(write_document, wishes)), end="")


@app.command(help_epilogue="")
def migrate(machine: Migrant, host: Target, /, *, lab: Lab = None, json: Json = False) -> None:
    """Put a machine on another host.

    Its NICs get functions there; MAC, addresses, profile and counters go with
    them. What runs in the machine goes on, without its NICs for a moment; routes
    it has added itself are gone.

    FILE is not changed: write the new host there, too.

    Example: fex lab migrate vm1 h2
    """
    from openfex.lab import lab as labs
    from openfex.lab.view.plan import report_line, report_view

    start, name = time.monotonic(), labs.the_lab(lab)
    with progress(quiet=json) as step:
        report = labs.migrate(name, machine, host, step)
    duration_s = time.monotonic() - start
    if json:
        print_json(report_view(name, report.operations, report.absent, duration_s))
    elif not report.operations:
        print(f"{machine} is on {host} already: nothing to do")
    else:
        bound = [one for one in report.layout.bindings if one.machine == machine]
        for one in bound:
            print(f"{one.name} is function {one.function.name} now, generation {one.generation}")
        print(report_line(name, report.operations, report.absent, duration_s))


@app.command(help_epilogue="")
def status(lab: Lab = None, *, json: Json = False) -> int:
    """Say of each node that it is up, or what is missing.

    The lab is compared with its own documents; exit status 1 if it is not as wanted.

    Example: fex lab status
    """
    from openfex.lab import lab as labs
    from openfex.lab.view.plan import status_rows

    name = labs.the_lab(lab)
    report = labs.drift(name)
    rows = status_rows(report.layout, report.operations, report.absent)
    print_rows(rows, STATUS, "no nodes", as_json=json)
    return 1 if report.operations or report.absent else 0


@app.command(name="exec", help_epilogue="")
def execute(machine: Machine, program: Program, /, *arguments: Arguments, lab: Lab = None) -> int:
    """Run a command inside a machine.

    Everything after MACHINE is the command's, dashes and all, and its exit
    status is ours. In a virtual machine it has no input.

    Example: fex lab exec vm1 ip address
    """
    from openfex.lab import guests
    from openfex.lab import lab as labs
    from openfex.lab.view.inventory import space_of
    from openfex.linux import netns

    layout = labs.layout_of(labs.the_lab(lab))
    if guests.guest_of(layout, machine):
        return _in_guest(layout.lab, machine, [program, *arguments])
    space = space_of(layout, machine)
    with netns.entered(space):
        return _become([program, *arguments])


def _in_guest(lab: str, machine: str, argv: Sequence[str]) -> int:
    """Run it in a virtual machine, whose agent hands over what it prints as it comes, and stderr at the end."""
    from openfex.lab import guests

    def write(octets: bytes) -> None:
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()

    status, errors = guests.run(lab, machine, argv, write)
    sys.stderr.buffer.write(errors)
    sys.stderr.buffer.flush()
    return status


def _become(argv: Sequence[str]) -> int:
    """Be the command from here on, so that its input, output, signals and exit status are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    ignored = [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:  # Python's own doing, which the command would inherit
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], list(argv))
    except OSError as cause:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        print(f"fex: cannot run {argv[0]}: {cause.strerror} [cannot-run]", file=sys.stderr)
        return NOT_FOUND if isinstance(cause, FileNotFoundError) else NOT_RUNNABLE
