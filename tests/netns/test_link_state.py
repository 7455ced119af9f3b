# SPDX-License-Identifier: Apache-2.0
"""A machine sets its NIC down: its host hears it from the kernel, its bridge from that, and `show` says it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.datapath.tables import read_rows
from openfex.lab import lab, staffing
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.uevent import LinkEvents
from openfex.model.layout import Layout
from openfex.proof.kernel_bed import nic_place
from tests.netns.policed import binding_of, wait_until
from tests.netns.test_signalling import LAB, text_of

pytestmark = pytest.mark.root
SPACE = "fex-test-links"
NOTE = "no link at its host"


@pytest.fixture
def clean() -> Iterator[None]:
    yield
    lab.down(LAB)


@pytest.fixture
def space() -> Iterator[str]:
    netns.create(SPACE)
    yield SPACE
    netns.delete(SPACE)


def noted(layout: Layout) -> set[object]:
    """The NICs at whose vEths the note is."""
    return {row["nic"] for row in port_rows(look(layout)) if NOTE in str(row["note"])}


def test_a_nic_that_is_down_is_noted_at_its_veth_and_no_table_is_written(clean: None) -> None:
    layout = lab.up(text_of()).layout
    spaces = [netns_of(LAB, "host", "h1"), netns_of(LAB, "bridge", "sw")]
    place = nic_place(layout, binding_of(layout, "m1"))
    assert noted(layout) == set()
    with Workshop(LAB) as workshop, Netlink(place.netns) as machine:
        before = [read_rows(workshop.node(one)) for one in spaces]
        machine.set(place.device, up=False)
        wait_until(lambda: noted(layout) == {"m1/eth0"}, "the bridge hears that the NIC is down")
        staffing.stop(LAB)
        machine.set(place.device, up=True)
        assert noted(layout) == {"m1/eth0"}, "nobody has told it otherwise"
        staffing.start(LAB)
        wait_until(lambda: noted(layout) == set(), "others look anew")
        machine.set(place.device, up=False)
        wait_until(lambda: noted(layout) == {"m1/eth0"}, "the bridge hears that the NIC is down again")
        machine.set(place.device, up=True)
        wait_until(lambda: noted(layout) == set(), "the bridge hears that it is up")
        assert [read_rows(workshop.node(one)) for one in spaces] == before
    assert not {one["event"] for one in staffing.read_log(LAB)} & {"lost", "refused", "de-associated", "veth"}


def test_events_of_links_say_what_became_of_each(space: str) -> None:
    events = LinkEvents(space)
    with Netlink(space) as here:
        here.add_veth("a", "b", mtu=1500, up=True)
        here.set("b", up=True)
        found: list[tuple[str, bool]] = []

        def is_seen(name: str, up: bool) -> bool:
            links, lost = events.take()
            assert not lost
            found.extend((one.name, one.up and one.carrier) for one in links)
            return (name, up) in found

        wait_until(lambda: is_seen("a", up=True), "a has a link")
        found.clear()
        here.set("b", up=False)
        wait_until(lambda: is_seen("a", up=False), "a has lost it")
        found.clear()
        here.delete("a")
        wait_until(lambda: is_seen("b", up=False), "b is gone")
    events.close()
