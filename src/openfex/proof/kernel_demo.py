# SPDX-License-Identifier: Apache-2.0
"""The demo on the kernel engine: the lab comes up carved, then bound, and goes down again whatever happens."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

from openfex.errors import RefusedError, VerificationError
from openfex.lab import kept, lab
from openfex.model.layout import XDP
from openfex.model.values import ChannelKind
from openfex.proof import claims, policed, real_nic, storage, vm_on_vf
from openfex.proof.bed import Proof, Stage
from openfex.proof.demo import ATTACHMENTS, IN_TWINS, ON_REQUEST, Options
from openfex.proof.endurance import clean_teardown, processes_killed, tcp_throughput
from openfex.proof.kernel_bed import KernelBed
from openfex.proof.policy_claims import POLICED
from openfex.proof.residue import links_here
from openfex.proof.signalling import SIGNALLED
from openfex.proof.topology import LAB, documents, layout

_PR_SET_PDEATHSIG = 1
READY = b"{"
"""How the report begins that says the lab is up."""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def builder(text: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that brings the lab up and stays with it, holding every map and program open."""
    command = [sys.executable, "-m", "openfex", "lab", "up", "--foreground", "--json", "-"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 -- this process has one thread
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(text.encode())
        process.stdin.close()
        if not process.stdout.readline().startswith(READY):
            raise VerificationError("the lab did not come up: see the message above", code="lab-not-up")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _policed(options: Options) -> Iterator[Proof]:
    lab.up(policed.documents(options.kind, options.attachment))
    with KernelBed(policed.layout(options.kind, options.attachment)) as bed:
        stage = Stage(bed)
        for name, prove in POLICED.items():
            if name in options.proofs:
                yield prove(stage)


def _carved(options: Options) -> Iterator[Proof]:
    lab.up(documents(options.kind, bound=False, attachment=options.attachment))
    with KernelBed(layout(options.kind, bound=False, attachment=options.attachment)) as bed:
        for name, prove in claims.CARVED.items():
            if name in options.proofs:
                yield prove(Stage(bed))


def _bound(options: Options) -> Iterator[Proof]:
    wanted = layout(options.kind, attachment=options.attachment)
    with builder(documents(options.kind, attachment=options.attachment)) as process:
        with KernelBed(wanted) as bed:
            stage = Stage(bed)
            for name, prove in claims.BOUND.items():
                if name in options.proofs:
                    yield prove(stage)
        for name, show in SIGNALLED.items():
            if name in options.proofs:
                yield show(wanted)
        if "processes-killed-frames-go-on" in options.proofs:
            yield processes_killed(wanted, [process])
    if "tcp-throughput" in options.proofs and options.attachment != XDP:
        yield tcp_throughput(wanted)


def _make_room() -> None:
    """Remove what an earlier demo left, that was kept or killed. Raises RefusedError where it is somebody's own lab."""
    found = kept.read(LAB)
    ways = product(ChannelKind, (True, False), ATTACHMENTS)
    ours = [documents(kind, bound=bound, attachment=attachment) for kind, bound, attachment in ways]
    ours += [policed.documents(kind, attachment) for kind, attachment in product(ChannelKind, ATTACHMENTS)]
    ours += [vm_on_vf.documents(kind) for kind in ChannelKind]
    if found is not None and found.text not in ours:
        remedy = f"give it another name, or take it down with `fex lab down {LAB}`"
        raise RefusedError(f"a lab named {LAB} is up that no demo made", code="lab-exists", remedy=remedy)
    lab.down(LAB)


def kernel_proofs(options: Options) -> Iterator[Proof]:
    """All proofs, on real frames and real disks. What was built is removed at the end, also after Ctrl-C."""
    if set(options.proofs) - set(IN_TWINS):
        yield from _lab_proofs(options)
    if real_nic.NAME in options.proofs:
        yield from real_nic.real_nic_proofs()
    if storage.NAME in options.proofs:
        yield from storage.storage_proofs()


def _lab_proofs(options: Options) -> Iterator[Proof]:
    """Those that are given on labs. The last one stays if it is to be kept."""
    _make_room()
    before = links_here()
    try:
        if set(options.proofs) & set(POLICED):
            yield from _policed(options)
        if set(options.proofs) - set(ON_REQUEST) - set(POLICED):
            lab.down(LAB)
            yield from _carved(options)
            yield from _bound(options)
        if vm_on_vf.NAME in options.proofs:
            lab.down(LAB)
            yield vm_on_vf.vm_on_vf(options.kind)
    except BaseException:
        lab.down(LAB)
        raise
    if options.keep:
        return
    lab.down(LAB)
    if "clean-teardown" in options.proofs:
        yield clean_teardown(LAB, before)
