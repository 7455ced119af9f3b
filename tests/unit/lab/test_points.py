# SPDX-License-Identifier: Apache-2.0
"""Names of ports, and where they are captured."""

from __future__ import annotations

import pytest

from openfex.datapath.abi import Seen
from openfex.errors import NotFoundError
from openfex.lab.points import ALL, Point, points_of, port_name
from openfex.lab.view.ports import port_rows
from openfex.model.values import port_number
from tests.unit.lab.sights import small_layout, small_sight

LAYOUT = small_layout()
UPLINK_A = 16


def test_every_port_that_is_shown_can_be_captured() -> None:
    for row in port_rows(small_sight()):
        (point,) = points_of(LAYOUT, str(row["name"]))
        assert (point.name, point.node, point.seen) == (row["name"], row["bridge"], ALL)


@pytest.mark.parametrize(
    ("name", "kind", "node", "number"),
    [
        ("sw-a/up0", "bridge", "sw-a", port_number(1)),
        ("sw-a/veth1.3", "bridge", "sw-a", port_number(UPLINK_A, 3)),
        ("sw-a/uplink16", "bridge", "sw-a", port_number(UPLINK_A)),
        ("nic0/3", "host", "h1", port_number(1, 4)),
        ("h1/up-b", "host", "h1", port_number(2)),
    ],
)
def test_a_port_is_a_number_on_a_node(name: str, kind: str, node: str, number: int) -> None:
    assert points_of(LAYOUT, name) == [Point(kind, node, number, name)]


def test_a_nic_is_its_veth_and_what_its_function_drops() -> None:
    binding = LAYOUT.bindings[0]
    veth, function = points_of(LAYOUT, binding.name)
    assert (veth.kind, veth.number, veth.seen) == ("bridge", binding.bridge_port, ALL)
    assert (function.kind, function.number, function.seen) == ("host", binding.host_port, Seen.DROPPED)
    assert [point.seen for point in points_of(LAYOUT, binding.name, Seen.OUT)] == [Seen.OUT]
    assert [point.seen for point in points_of(LAYOUT, binding.name, Seen.DROPPED)] == [Seen.DROPPED] * 2


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("sw-a/veth1.33", "did you mean sw-a/veth1.3"),
        ("up0", "did you mean sw-a/up0 or sw-b/up0?"),
        ("vm1/eth1", "did you mean vm1/eth0?"),
        ("??", "`fex show ports` lists the ports"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, remedy: str) -> None:
    with pytest.raises(NotFoundError) as told:
        points_of(LAYOUT, name)
    assert told.value.code == "no-such-port"
    assert told.value.remedy.startswith(remedy)


def test_other_ports_of_a_point_s_node_have_names() -> None:
    (veth,), (function,) = points_of(LAYOUT, "sw-a/veth1.1"), points_of(LAYOUT, "nic0/0")
    assert port_name(LAYOUT, veth, port_number(1)) == "sw-a/up0"
    assert port_name(LAYOUT, function, port_number(1)) == "h1/up-a"
