# SPDX-License-Identifier: Apache-2.0
"""`fex capture`: the frames of one port, with what became of them."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from openfex.cli.arguments import STANDARD_INPUT, Flag, Json, Lab
from openfex.cli.failure import Misuse
from openfex.cli.paper import print_json
from openfex.errors import NotFoundError
from openfex.model.wording import many

if TYPE_CHECKING:
    from openfex.cli.writers import Output, Writer
    from openfex.lab.capture import Session
    from openfex.lab.points import Point

TICK_S = 0.1
MOST_FRAMES = 10_000
WHOLE_FRAME = 1536
MOST_OCTETS = 32_768
"""A record of a ring has less than 64 KiB."""

Port = Annotated[
    str, Parameter(help="As `show ports` and `show drops` name it, sw-a/veth1.5 or h1-nic0/3; or MACHINE/NIC.")
]
In = Annotated[Flag, Parameter(name="--in", help="What comes in by the port, also what is then dropped.")]
Out = Annotated[Flag, Parameter(name="--out", help="What leaves by the port, copies of floods included.")]
Dropped = Annotated[Flag, Parameter(name="--dropped", help="What comes in by the port and is dropped.")]
Target = Annotated[
    str | None,
    Parameter(name=["--write", "-w"], allow_leading_hyphen=True, help="Write pcapng to FILE, `-` for stdout."),
]
Count = Annotated[int, Parameter(name=["--count", "-c"], validator=Number(gte=1), help="End after so many frames.")]
Seconds = Annotated[float | None, Parameter(validator=Number(gt=0), help="End after so many seconds.")]
Snap = Annotated[
    int, Parameter(validator=Number(gte=64, lte=MOST_OCTETS), help="Take so many octets of a frame at most.")
]
Text = Annotated[Flag, Parameter(help="A line a frame, also into a pipe.")]


@dataclass(frozen=True, slots=True)
class Bounds:
    """When to end."""

    frames: int
    seconds: float | None


def capture(  # noqa: PLR0913 -- options, all of them by name
    port: Port,
    /,
    *,
    in_: In = False,
    out: Out = False,
    dropped: Dropped = False,
    write: Target = None,
    text: Text = False,
    count: Count = MOST_FRAMES,
    seconds: Seconds = None,
    snap: Snap = WHOLE_FRAME,
    lab: Lab = None,
    json: Json = False,
) -> int:
    """Show the frames of a port and what became of them, until Ctrl-C.

    On a terminal a line a frame, into a pipe or FILE pcapng, with the port and
    the reason of a drop as comments. Of what comes in, goes out and is dropped
    only what is asked for; all if nothing is.

    Examples: fex capture vm1/eth0; fex capture sw-a/veth1.5 --dropped | tshark -r -
    """
    from openfex.cli.writers import Output, Scene, open_writer
    from openfex.datapath.abi import Seen
    from openfex.lab.capture import Session
    from openfex.lab.lab import layout_of, the_lab
    from openfex.lab.points import ALL, points_of
    from openfex.linux.signals import noted

    output = Output(write, text=text, json=json)
    _check(output)
    layout = layout_of(the_lab(lab))
    asked = ((in_, Seen.IN), (out, Seen.OUT), (dropped, Seen.DROPPED))
    seen = sum((kind for given, kind in asked if given), Seen(0)) or ALL
    points = points_of(layout, port, seen)
    with (
        noted() as endings,
        Session(layout.lab, points, snap) as session,
        open_writer(output, Scene(layout, points, snap)) as writer,
    ):
        _say(f"capturing {', '.join(point.name for point in points)}; Ctrl-C ends it")
        taken = _run(session, writer, Bounds(count, seconds), endings)
        lost, is_on = session.lost, session.is_on
        writer.close(lost)
    _sum_up(points, taken, lost, write if json else None)
    if not is_on:
        raise NotFoundError(f"the datapath of {points[0].node} is gone", code="no-datapath")
    ending = next((number for number in endings if number != signal.SIGINT), 0)
    return 128 + ending if ending else 0


def _check(output: Output) -> None:
    if output.text and (output.json or output.file):
        raise Misuse("--text goes with neither --json nor --write", "fex capture")
    if output.file == STANDARD_INPUT and output.json:
        raise Misuse("--json and pcapng cannot both go to stdout", "fex capture")
    if output.file == STANDARD_INPUT and sys.stdout.isatty():
        raise Misuse("pcapng is nothing for a terminal: name a file, or pipe it", "fex capture")


def _run(session: Session, writer: Writer, bounds: Bounds, endings: list[int]) -> int:
    """Write what comes until a bound is reached, a signal asks to end, nobody reads, or nothing more can come."""
    end = None if bounds.seconds is None else time.monotonic() + bounds.seconds
    taken = 0
    while True:
        last = bool(endings) or (end is not None and time.monotonic() >= end) or not session.is_on
        patience_s = 0.0 if last else TICK_S if end is None else min(TICK_S, max(0.0, end - time.monotonic()))
        for one in session.wait(patience_s)[: bounds.frames - taken]:
            writer.write(one)
            taken += 1
        writer.flush()
        if last or taken >= bounds.frames:
            return taken
        if _is_unread():
            raise BrokenPipeError


def _is_unread() -> bool:
    """True once the reader of the pipe that we write to has gone: without frames we would never notice."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _say(text: str) -> None:
    print(f"fex: {text}", file=sys.stderr, flush=True)


def _sum_up(points: Sequence[Point], taken: int, lost: int, file: str | None) -> None:
    missing = f"; {lost} lost, they came faster than they were taken" if lost else ""
    _say(many(taken, "frame") + f" captured{missing}")
    if file:
        print_json({"ports": [point.name for point in points], "frames": taken, "lost": lost, "file": file})
