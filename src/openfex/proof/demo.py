# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: carve adapters, bind machines, and prove what the product claims, one line a proof.

Needs the standard library alone for the reference engine: it is also what `./fex demo` runs on a bare machine.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from openfex.errors import OpenfexError
from openfex.model.layout import AUTO, TC, XDP, Layout
from openfex.model.values import ChannelKind
from openfex.proof import claims, policed
from openfex.proof.bed import Proof, Stage
from openfex.proof.picture import draw
from openfex.proof.policy_claims import POLICED
from openfex.proof.reference_bed import ReferenceBed
from openfex.proof.signalling_in_rules import SIGNALLED
from openfex.proof.topology import layout

KERNEL_ONLY = ("processes-killed-frames-go-on", "tcp-throughput", "clean-teardown")
PROOFS = (*POLICED, *claims.CARVED, *claims.BOUND, *SIGNALLED, *KERNEL_ONLY)
IN_LABS, IN_TWINS = ("vm-on-vf",), ("igb", "nvme")
"""Those on a lab of their own, and those in a virtual machine with adapters of its own."""
ON_REQUEST = (*IN_LABS, *IN_TWINS)
"""Kernel only too, and only given when named: they need programs that the others do without."""
ALL = (*PROOFS, *ON_REQUEST)
ATTACHMENTS = (AUTO, TC, XDP)
NOT_BY_XDP = {"tcp-throughput": "not judged on XDP wires, which carry no super-frames (GSO)"}


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    proofs: tuple[str, ...] = PROOFS
    kind: ChannelKind = ChannelKind.VNTAG
    engine: str | None = None
    keep: bool = False
    json: bool = False
    attachment: str = AUTO
    named: bool = False
    """Whether the proofs were asked for by name: then one that cannot be given counts as one that does not hold."""


@dataclass
class Outcome:
    """What came of it."""

    engine: str
    kind: ChannelKind
    proofs: list[Proof] = field(default_factory=list)
    unproven: dict[str, str] = field(default_factory=dict)
    """Why not, by proof."""
    duration_s: float = 0.0
    strict: bool = False

    @property
    def ok(self) -> bool:
        """True if every proof that was asked for, and that this engine can give, holds."""
        return bool(self.proofs) and all(proof.ok for proof in self.proofs) and not (self.strict and self.unproven)

    def describe(self) -> dict[str, object]:
        """As `--json` prints it."""
        proofs = [proof.describe() for proof in self.proofs]
        found = {"ok": self.ok, "engine": self.engine, "channel": self.kind.value}
        return {**found, "duration_s": round(self.duration_s, 1), "proofs": proofs, "unproven": [*self.unproven]}


def reference_proofs(options: Options) -> Iterator[Proof]:
    """The proofs that need no kernel."""
    under_policy = Stage(ReferenceBed(policed.layout(options.kind)))
    carved = Stage(ReferenceBed(layout(options.kind, bound=False)))
    bed = ReferenceBed(layout(options.kind))
    for stage, proofs in ((under_policy, POLICED), (carved, claims.CARVED), (Stage(bed), claims.BOUND)):
        for name, prove in proofs.items():
            if name in options.proofs:
                yield prove(stage)
    for name, show in SIGNALLED.items():
        if name in options.proofs:
            yield show(bed)


def parse(argv: Sequence[str]) -> Options:
    """Options from arguments. Exits with 2 on a usage error, as argparse does."""
    parser = argparse.ArgumentParser("fex demo", description=__doc__, epilog=f"proofs: {', '.join(ALL)}")
    default = f"all but {', '.join(ON_REQUEST)}"
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=f"only these proofs (default: {default})")
    parser.add_argument("--channel", choices=[kind.value for kind in ChannelKind], default="vntag")
    attachments = "how programs get at the frames of the uplinks and functions (default: auto)"
    parser.add_argument("--attachment", choices=ATTACHMENTS, default=AUTO, help=attachments)
    parser.add_argument("--engine", choices=["kernel", "reference"], help="default: kernel where it can run")
    parser.add_argument("--keep", action="store_true", help="leave the lab up (then see `fex show ports`)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    found = parser.parse_args(argv)
    unknown = [name for name in found.proofs if name not in ALL]
    if unknown:
        parser.error(f"unknown proof {', '.join(unknown)}; the proofs are: {', '.join(ALL)}")
    if found.attachment != AUTO and found.engine == "reference":
        parser.error("--attachment needs the kernel engine: the reference engine has no devices")
    if found.keep and found.engine == "reference":
        parser.error("--keep needs the kernel engine: the reference engine ends with its process")
    proofs = tuple(name for name in ALL if name in (found.proofs or PROOFS))
    asked = (found.keep, found.json, found.attachment, bool(found.proofs))
    return Options(proofs, ChannelKind(found.channel), found.engine, *asked)


def choose_engine(options: Options) -> tuple[str, list[str]]:
    """The engine, and why it is not the kernel. Raises UnsupportedError if the kernel was asked for and cannot."""
    from openfex.linux.capability import probe

    if options.engine == "reference":
        return "reference", ["asked for"]
    found = probe()
    reasons = list(found.reasons)
    if found.kernel_engine:
        return "kernel", []
    if options.engine == "kernel":
        from openfex.errors import UnsupportedError

        raise UnsupportedError(f"the kernel engine cannot run here: {'; '.join(reasons)}", code="no-kernel-engine")
    return "reference", reasons


class _Narrator:
    """What a person sees; nothing in JSON mode."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, text: str = "") -> None:
        if not self._quiet:
            print(text, flush=True)

    def show(self, proof: Proof) -> None:
        self.say(f"  {'holds' if proof.ok else 'FAILS'}  {proof.name:<30} {proof.measured}")


def _labs(options: Options, engine: str) -> Iterator[Layout]:
    """The labs that the proofs are given on."""
    if set(options.proofs) - set(ON_REQUEST) - set(POLICED):
        yield layout(options.kind, attachment=options.attachment)
    if set(options.proofs) & set(POLICED):
        yield policed.layout(options.kind, options.attachment)
    if engine == "kernel" and set(options.proofs) & set(IN_LABS):
        from openfex.proof import vm_on_vf

        yield vm_on_vf.layout(options.kind)


def run(options: Options) -> Outcome:
    """Run the demo and tell what came of it, as it goes."""
    start = time.monotonic()
    engine, reasons = choose_engine(options)
    narrator = _Narrator(options.json)
    real = "real kernel frames" if engine == "kernel" else f"in-process wires, no kernel frames: {'; '.join(reasons)}"
    by = "" if options.attachment == AUTO else f", attachment {options.attachment}"
    in_labs = set(options.proofs) - set(IN_TWINS)  # a twin has a channel of its own
    channel = f", channel {options.kind.value}{by}" if in_labs else ""
    narrator.say(f"openfex demo: engine {engine} ({real}){channel}\n")
    for one in _labs(options, engine):
        narrator.say(draw(one))
    outcome = Outcome(engine, options.kind, strict=options.named)
    if engine == "kernel":
        from openfex.proof.kernel_demo import kernel_proofs

        proofs = kernel_proofs(options)
        missing = NOT_BY_XDP if options.attachment == XDP else {}
    else:
        proofs = reference_proofs(options)
        missing = dict.fromkeys((*KERNEL_ONLY, *ON_REQUEST), "not provable on the reference engine")
    outcome.unproven = {name: why for name, why in missing.items() if name in options.proofs}
    for proof in proofs:
        outcome.proofs.append(proof)
        narrator.show(proof)
    outcome.duration_s = time.monotonic() - start
    for name, why in outcome.unproven.items():
        narrator.say(f"  ----   {name:<30} {why}")
    held = sum(proof.ok for proof in outcome.proofs)
    narrator.say(f"\n{held} of {len(outcome.proofs)} proofs hold, in {outcome.duration_s:.1f} s")
    if options.keep and engine == "kernel" and set(options.proofs) - set(IN_TWINS):
        narrator.say("The lab `demo` is still up: try `fex show ports`, and `fex lab down` when done.")
    return outcome


def main(argv: Sequence[str]) -> int:
    """The command: 0 if all asked-for proofs hold, else 1."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as on Ctrl-C: with everything taken down
    try:
        outcome = run(options)
    except OpenfexError as error:
        print(f"fex: {error} [{error.code}]", file=sys.stderr)
        if options.json:
            print(json.dumps({"ok": False, "error": error.describe()}))
        return 1
    except KeyboardInterrupt:
        print("fex: stopped; what was built has been removed", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(outcome.describe(), indent=2))
    return 0 if outcome.ok else 1
