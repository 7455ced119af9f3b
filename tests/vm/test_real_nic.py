# SPDX-License-Identifier: Apache-2.0
"""The proof `igb`, claim by claim: a real driver's functions are S-channels of a bridge outside the twin."""

from __future__ import annotations

import os

import pytest

from openfex.errors import UnsupportedError
from openfex.lab import kept, lab
from openfex.linux.netlink import Netlink
from openfex.proof.bed import Proof
from openfex.proof.real_nic import CABLE, LAB, real_nic_proofs

pytestmark = [pytest.mark.root, pytest.mark.slow]
NAMES = ("carved", "signalled", "through-the-bridge", "denied", "broadcast-once", "restart-adopts", "released")


@pytest.fixture(scope="module")
def proofs() -> dict[str, Proof]:
    try:
        return {proof.name: proof for proof in real_nic_proofs()}
    except UnsupportedError as lack:
        if os.environ.get("FEX_ALLOW_SKIP") == "1":
            pytest.skip(str(lack))
        raise


@pytest.mark.parametrize("name", NAMES)
def test_a_commodity_adapter_is_vm_fex(proofs: dict[str, Proof], name: str) -> None:
    proof = proofs[f"igb-{name}"]
    assert proof.ok, proof.measured


def test_nothing_is_left_of_it(proofs: dict[str, Proof]) -> None:
    assert len(proofs) == len(NAMES)
    assert LAB not in lab.labs()
    assert kept.read(LAB) is None
    with Netlink() as here:
        assert CABLE not in {link.name for link in here.links()}
