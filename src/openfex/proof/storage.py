# SPDX-License-Identifier: Apache-2.0
"""The proof `nvme`: storage functions of a real NVMe driver's adapter, which QEMU emulates in a twin of this machine.

It needs a QEMU and a stock kernel of Debian's, so it is given only when it is asked for by name. The claims are tried
in the twin (storage_claims.py); here, outside, the namespaces' media are looked into.
"""

from __future__ import annotations

import hashlib
import json
import sys

from openfex.errors import VerificationError
from openfex.machine.emulated import Iommu, Nvme
from openfex.machine.twin import Twin, twin
from openfex.proof.bed import Proof
from openfex.proof.storage_claims import CLAIMS, FUNCTIONS, GREEDY

NAME = "nvme"
ADAPTER = "ssd0"
DEVICES = (Iommu(), Nvme(ADAPTER, functions=FUNCTIONS, queues=2, most=GREEDY, private=FUNCTIONS))
DEADLINE_S = 120.0


def storage_proofs() -> list[Proof]:
    """Boot the twin, and try every claim in it."""
    with twin(DEVICES) as machine:
        return in_twin(machine)


def in_twin(machine: Twin) -> list[Proof]:
    """Every claim, in a twin that runs."""
    command = [sys.executable, "-P", "-m", "openfex.proof.storage_claims", machine.address(ADAPTER)]
    lines = machine.run(command, DEADLINE_S, check=True).output.splitlines()
    told = [json.loads(line) for line in lines]
    proofs = [Proof(f"{NAME}-{one['name']}", one["ok"], one["measured"]) for one in told if "name" in one]
    if len(proofs) != len(CLAIMS) or "digests" not in told[-1]:
        raise VerificationError(f"the twin told of {len(proofs)} of {len(CLAIMS)} claims", code="twin-command-failed")
    return [*proofs, _on_media(machine, told[-1]["digests"])]


def _on_media(machine: Twin, digests: dict[str, tuple[int, str]]) -> Proof:
    """Outside the twin, each namespace's file holds what its function was given, and nothing more."""
    same = 0
    for nsid, (octets, digest) in digests.items():
        content = machine.medium(ADAPTER, int(nsid)).read_bytes()
        same += hashlib.sha256(content[:octets]).hexdigest() == digest and not any(content[octets:])
    measured = f"{same} of {FUNCTIONS} namespaces hold what their function wrote, and nothing else, booted in"
    return Proof(f"{NAME}-on-the-media", same == FUNCTIONS, f"{measured} {machine.boot_s:.1f} s")
