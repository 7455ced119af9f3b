# SPDX-License-Identifier: Apache-2.0
"""Ordinary edits of a lab file: each is carried out, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.errors import DocumentError
from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.linux.netlink import Netlink
from tests.netns.test_p6_apply import BOUND

pytestmark = pytest.mark.root
LAB = "test-edits"
TEXT = BOUND.replace("test-apply", LAB)


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    lab.down(LAB)
    yield
    lab.down(LAB)


def _addresses() -> list[str]:
    with Netlink(netns_of(LAB, "machine", "m1")) as netlink:
        return [one for one in netlink.addresses("eth0") if not one.startswith("fe80")]


def test_p6_an_address_is_changed_and_changed_back() -> None:
    lab.up(TEXT)
    lab.up(TEXT.replace("10.0.10.1/24", "10.0.10.11/24"))
    assert _addresses() == ["10.0.10.11/24"]
    lab.up(TEXT)
    assert _addresses() == ["10.0.10.1/24"]


def test_p6_what_a_machine_adds_to_its_own_nic_stays_and_blocks_nothing() -> None:
    lab.up(TEXT)
    with Netlink(netns_of(LAB, "machine", "m1")) as netlink:
        netlink.add_address("eth0", "10.9.9.9/24")
    assert lab.plan(TEXT).operations == ()
    lab.up(TEXT.replace("10.0.10.2/24", "10.0.10.12/24"))
    assert sorted(_addresses()) == ["10.0.10.1/24", "10.9.9.9/24"]


@pytest.mark.parametrize("name", ["../x", "docs_t", "Lab", "a" * 41, "-a"])
def test_p9_a_name_that_could_escape_its_place_is_refused(name: str) -> None:
    with pytest.raises(DocumentError, match="cannot be a name"):
        lab.plan(TEXT.replace(f"name: {LAB}", f'name: "{name}"'))
