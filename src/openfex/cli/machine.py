# SPDX-License-Identifier: Apache-2.0
"""`fex demo` and `fex doctor`: the main job, and what this machine can do of it."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from openfex.cli.arguments import Flag, Json
from openfex.cli.paper import Column, print_json, table

COLUMNS: tuple[Column, ...] = (
    ("what", "what"),
    ("state", "state"),
    ("found", "found"),
    ("lost", "lost"),
    ("remedy", "remedy"),
)
NARROW: tuple[Column, ...] = (("what", "what"), ("state", "state"), ("remedy", "remedy"))

PROOFS = """\
The proofs:

  carve             limit-refused             function-to-host
  tagged-on-wire    same-host-through-bridge  across-hosts
  vlan-isolation    broadcast-exactly-once    spoof-dropped
  no-loop           vf-cannot-change-itself   counters-add-up
  restart-adopts    ports-by-signalling       vm-cannot-signal
  keepalive-expiry

Of policy, on a small lab of their own, which goes before the other comes:

  acl  rate  source-guard  same-profile-on-physical-port

With the engine kernel only:

  processes-killed-frames-go-on  tcp-throughput  clean-teardown

Only when they are named, because they boot a virtual machine: vm-on-vf  igb  nvme"""

Proofs = Annotated[str, Parameter(help="Only these proofs; all if none is named.")]
Channel = Annotated[
    Literal["vntag", "etag", "schannel", "schannel-q", "vepa"] | None,
    Parameter(help="How frames are told apart on the uplink; vntag if not said."),
]
Attachment = Annotated[
    Literal["auto", "tc", "xdp"] | None,
    Parameter(help="How programs get at the frames of uplinks and functions; auto if not said."),
]
Engine = Annotated[
    Literal["kernel", "reference"] | None,
    Parameter(help="kernel: real frames through eBPF, the default where it can run; reference: the rules in Python."),
]
Keep = Annotated[Flag, Parameter(help="Leave the lab up.")]


def demo(
    *proofs: Proofs,
    channel: Channel = None,
    attachment: Attachment = None,
    engine: Engine = None,
    keep: Keep = False,
    json: Json = False,
) -> int:
    """Do the main job end to end, with proofs.

    Carve adapters, bind machines, and show on real frames that what the product claims holds.

    Examples: fex demo; fex demo tcp-throughput --channel etag
    """
    from openfex.proof.demo import main

    options = [
        (channel, f"--channel={channel}"),
        (attachment, f"--attachment={attachment}"),
        (engine, f"--engine={engine}"),
        (keep, "--keep"),
        (json, "--json"),
    ]
    return main([*(text for given, text in options if given), *proofs])


def doctor(*, json: Json = False) -> int:
    """Say what this machine can and cannot do.

    Each line is good, limited (then what is lost) or bad (then what mends it).
    Exit status 1 if frames cannot be forwarded here.

    Example: fex doctor
    """
    from openfex.lab.view.doctor import TOOLS, check_kvm, examine, is_able
    from openfex.linux.facts import gather
    from openfex.machine.kvm import find_out

    facts = gather(TOOLS, _missing_objects())
    checks = [*examine(facts), check_kvm(find_out())]
    able, rows = is_able(checks), [one.row for one in checks]
    if json:
        print_json({"kernel_engine": able, "checks": rows, "reasons": list(facts.can.reasons)})
    else:
        print(table(rows, COLUMNS, NARROW))
        print("", *facts.can.reasons, sep="\n")
        print(
            "This machine can forward frames." if able else "This machine can only run `fex demo --engine reference`."
        )
    return 0 if able else 1


def _missing_objects() -> str:
    """Why there are no compiled programs."""
    from openfex.datapath.objects import PROGRAMS, object_path
    from openfex.errors import NotFoundError

    try:
        for role in PROGRAMS:
            object_path(role)
    except NotFoundError as error:
        return str(error)
    return ""
