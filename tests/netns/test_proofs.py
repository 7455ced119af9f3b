# SPDX-License-Identifier: Apache-2.0
"""Every proof of the demo is a test too, on real kernel frames, for each kind of channel."""

from __future__ import annotations

import re

import pytest

from openfex.model.layout import AUTO, XDP
from openfex.model.values import ChannelKind
from openfex.proof.bed import Proof
from openfex.proof.demo import NOT_BY_XDP, PROOFS, Options
from openfex.proof.kernel_demo import kernel_proofs

pytestmark = pytest.mark.root
Proofs = dict[str, Proof]
TCP = "tcp-throughput"
"""It takes four times as long as all the others together."""
OTHERS = tuple(name for name in PROOFS if name != TCP)


def _prove(kind: ChannelKind, attachment: str, names: tuple[str, ...] = OTHERS) -> Proofs:
    options = Options(kind=kind, attachment=attachment, proofs=names)
    return {proof.name: proof for proof in kernel_proofs(options)}


@pytest.fixture(scope="module", params=ChannelKind, ids=lambda kind: kind.value)
def proofs(request: pytest.FixtureRequest) -> Proofs:
    return _prove(request.param, AUTO)


@pytest.fixture(scope="module", params=ChannelKind, ids=lambda kind: kind.value)
def xdp_proofs(request: pytest.FixtureRequest) -> Proofs:
    return _prove(request.param, XDP, PROOFS)


@pytest.mark.parametrize("name", [name for name in PROOFS if name not in NOT_BY_XDP])
def test_proof_holds_on_xdp_wires(xdp_proofs: Proofs, name: str) -> None:
    assert xdp_proofs[name].ok, xdp_proofs[name].measured


def test_what_is_not_judged_on_xdp_wires_is_not_tried(xdp_proofs: Proofs) -> None:
    assert not xdp_proofs.keys() & NOT_BY_XDP.keys()


@pytest.mark.parametrize("name", OTHERS)
def test_proof_holds(proofs: Proofs, name: str) -> None:
    assert proofs[name].ok, proofs[name].measured


@pytest.mark.slow
@pytest.mark.parametrize("kind", ChannelKind)
def test_tcp_throughput_is_measured_beside_a_linux_bridge(kind: ChannelKind) -> None:
    """That both were measured; how fast it is belongs to the demo and the bench."""
    ours, theirs = re.findall(r"([\d.]+) Gbit/s|bridge ([\d.]+)", _prove(kind, AUTO, (TCP,))[TCP].measured)
    assert float(ours[0]) > 0
    assert float(theirs[1]) > 0
