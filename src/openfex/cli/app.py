# SPDX-License-Identifier: Apache-2.0
"""The tree of commands, and how the program starts and ends: exit 0 done, 1 refused or failed, 2 wrongly used."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from cyclopts import App, CycloptsError

from openfex import __version__
from openfex.cli import bench, bridge, explain, foreign, here, host, machine, plan, show, trace
from openfex.cli import lab as labs
from openfex.cli.arguments import shield_command, wants_json
from openfex.cli.capture import capture
from openfex.cli.failure import INTERRUPTED, Misuse, as_error, leave_quietly, misused, refuse
from openfex.errors import OpenfexError

ABOUT = "Every SR-IOV virtual function its own port on the switch."
EXAMPLES = """\
Examples:

  fex doctor                           what this machine can and cannot do
  fex demo                             the main job, end to end, with proofs
  fex explain machine                  what a document may say
  fex bench --quick                    how fast it is, beside a Linux bridge
  fex lab up examples/two-hosts.yaml   build the datacentre of that file here
  fex show ports                       every function's port on the bridges
  fex capture vm1/eth0                 a NIC's frames, and why some are dropped
  fex trace-frame vm1/eth0 vm2/eth0    what would become of a frame, and by which rule
  fex lab exec vm1 ip address          a command inside a machine
  fex lab down                         remove it all again
  fex show functions --here            this machine's own SR-IOV functions
  fex host /etc/openfex/host.yaml      keep them as that file says, from boot on
  fex bridge /etc/openfex/network.yaml be the bridge that real hosts' cables end at

Exit status: 0 done, 1 refused or failed, 2 wrongly used.
Programs read the same with --json. The tests of a clone: ./fex test"""

app = App(
    name="fex",
    help=ABOUT,
    help_epilogue=EXAMPLES,
    help_format="plaintext",
    version=__version__,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
)
app.command(machine.demo, help_epilogue=machine.PROOFS)
app.command(machine.doctor, help_epilogue="")
app.command(bench.bench, help_epilogue=bench.EXAMPLES)
app.command(labs.app)
app.command(show.app)
app.command(plan.plan, help_epilogue="")
app.command(plan.apply, help_epilogue="")
app.command(host.host, help_epilogue="")
app.command(bridge.bridge, help_epilogue="")
app.command(here.give, help_epilogue="")
app.command(here.release, help_epilogue="")
app.command(here.adopt, help_epilogue="")
app.command(here.gc, help_epilogue="")
app.command(explain.explain, help_epilogue="")
app.command(foreign.import_, name="import", help_epilogue=foreign.FORMATS)
app.command(foreign.export, help_epilogue="")
app.command(capture, help_epilogue="")
app.command(trace.trace_frame, help_epilogue=trace.EXAMPLES)


def run(arguments: Sequence[str]) -> int:
    """Carry out one command; returns the exit status."""
    tokens = shield_command(arguments)
    json = wants_json(tokens)
    try:
        status = app(tokens)
        sys.stdout.flush()
    except CycloptsError as error:
        return misused(str(error), " ".join(["fex", *(error.command_chain or ())]), json=json)
    except Misuse as error:
        return misused(str(error), error.command, json=json)
    except OpenfexError as error:
        return refuse(error, json=json)
    except BrokenPipeError:
        return leave_quietly()
    except OSError as error:
        return refuse(as_error(error), json=json)
    except KeyboardInterrupt:
        print("fex: stopped", file=sys.stderr)
        return INTERRUPTED
    return int(status or 0)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    """Start, and end as a program does. What is asked to end is undone as on Ctrl-C, not cut off."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))
