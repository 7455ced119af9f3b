# SPDX-License-Identifier: Apache-2.0
"""`show path`: the hops, and every way in which one of them would drop a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from openfex.lab.view.path import Path, head_lines, hop_rows, hops_of, path_view, tail_lines, would_drop
from openfex.lab.view.sight import DeviceSight, NodeSight, Row
from openfex.linux.filters import Filter
from openfex.linux.links import LinkStatistics
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.shape import PCPS, Shape, Share
from openfex.model.values import Mac, port_number
from openfex.rules.tables import Function, Station, Terms
from tests.unit.lab.sights import (
    BRIDGE,
    HOST,
    a_link,
    bridge_tables,
    extender_tables,
    good_device,
    small_path,
    small_sight,
    with_node,
)

VETH = port_number(16, 1)
VM1 = Mac.parse("52:54:00:00:00:01")


def reasons(path: Path) -> list[tuple[object, object]]:
    """Hop and reason of what would drop."""
    return [(row["hop"], row["reason"]) for row in would_drop(path)]


def test_the_hops_lead_from_the_machine_to_the_network() -> None:
    rows = hop_rows(small_path(small_sight()))
    assert [(row["what"], row["node"], row["device"], row["port"]) for row in rows] == [
        ("NIC", "vm1", "eth0", None),
        ("function", "h1", "f0p0", "nic0/0"),
        ("uplink", "h1", "up-a", "h1/up-a"),
        ("uplink", "sw-a", "uplink16", "sw-a/uplink16"),
        ("vEth", "sw-a", None, "sw-a/veth1.1"),
        ("network port", "sw-a", "up0", "sw-a/up0"),
    ]


def test_a_hop_says_what_runs_there_and_what_it_counted() -> None:
    sight = small_sight()
    number = port_number(1, 1)
    node = replace(
        sight.nodes[HOST], counters={number: PortCounters(1, 0, 0, 2, 3, 0, 0, 4)}, drops={(number, DropReason.BPDU): 5}
    )
    path = small_path(with_node(sight, HOST, node))
    lossy = replace(good_device(path, "f0p0"), statistics=LinkStatistics(0, 0, 2, 1, 0, 0))
    row = hop_rows(small_path(path.sight, {"f0p0": lossy}))[1]
    wanted = {"program": "extender_up", "program_id": 11, "current": True, "number": number, "channel": 1}
    wanted |= {"state": "up", "link": "up", "in_frames": 1, "out_octets": 4, "drops": 5, "lost": 3}
    assert row.items() >= wanted.items()


def test_nothing_would_drop_on_a_path_that_is_as_wanted() -> None:
    path = small_path(small_sight())
    assert would_drop(path) == []
    assert tail_lines(path)[0].startswith("attachment: tc; ")
    assert tail_lines(path)[-1] == "nothing on this path would drop what the profile allows"
    assert "channel 1 (etag) on fabric a" in head_lines(path.binding)[0]
    assert path_view(path)["would_drop"] == []


def attached(attachment: str, devices: Mapping[str, DeviceSight] | None = None) -> Path:
    """The path on an uplink that is attached so, with every XDP program where it must be."""
    path = small_path(small_sight())
    binding = replace(path.binding, uplink=replace(path.binding.uplink, attachment=attachment))
    seen = dict(path.devices)
    for place, one in path.devices.items():
        assert one.link
        by_xdp = attachment == "xdp" and place.device in ("f0p0", "up-a", "uplink16")
        link = replace(one.link, xdp=14) if by_xdp else one.link
        found = replace(one, link=link, polled=attachment == "xdp" and place.device == "eth0")
        seen[place] = (devices or {}).get(place.device, found)
    return Path(path.sight, binding, hops_of(path.sight, binding), seen)


@pytest.mark.parametrize(("attachment", "chosen"), [("auto", "tc"), ("tc", "tc"), ("xdp", "xdp")])
def test_each_hop_says_how_it_is_attached_and_why(attachment: str, chosen: str) -> None:
    path = attached(attachment)
    assert would_drop(path) == []
    told = [cast("Row | None", row["attachment"]) for row in hop_rows(path)]
    assert [row["chosen"] if row else None for row in told] == [None, chosen, chosen, chosen, None, "tc"]
    assert all(row["why"] for row in told if row)
    view = cast("Row", path_view(path)["attachment"])
    assert (view["chosen"], "asked for" in str(view["why"])) == (chosen, attachment != "auto")


def test_what_differs_from_hop_to_hop_is_a_line_each() -> None:
    lines = tail_lines(attached("xdp"))
    assert lines[0] == "attachment at hop 2, 3, 4: xdp; asked for"
    assert lines[1].startswith("attachment at hop 6: tc; ")


def test_what_xdp_sends_is_lost_where_nobody_takes_it() -> None:
    good = attached("xdp")
    nic, uplink = (good_device(good, name) for name in ("eth0", "up-a"))
    assert uplink.link
    assert reasons(attached("xdp", {"eth0": replace(nic, polled=False)})) == [(1, None)]
    assert reasons(attached("xdp", {"up-a": replace(uplink, link=replace(uplink.link, xdp=0))})) == [(3, None)]


@pytest.mark.parametrize(("device", "hop"), [("eth0", 1), ("f0p0", 2), ("up-a", 3), ("uplink16", 4), ("up0", 6)])
def test_a_device_that_is_missing_down_or_idle_loses_frames(device: str, hop: int) -> None:
    good = good_device(small_path(small_sight()), device)
    assert good.link
    for link, word in (
        (None, "is not there"),
        (replace(good.link, up=False), "is down"),
        (replace(good.link, carrier=False), "has no carrier"),
    ):
        path = small_path(small_sight(), {device: replace(good, link=link)})
        assert reasons(path) == [(hop, None)]
        assert word in str(would_drop(path)[0]["message"])


@pytest.mark.parametrize(("device", "hop"), [("f0p0", 2), ("up-a", 3), ("uplink16", 4), ("up0", 6)])
def test_a_missing_or_misplaced_program_is_told(device: str, hop: int) -> None:
    good = good_device(small_path(small_sight()), device)
    foreign = (Filter("somebody-else", 99, 1, 1),)
    strayed = tuple(replace(one, classid=one.classid + 1) for one in good.filters)
    for filters in ((), foreign, strayed):
        path = small_path(small_sight(), {device: replace(good, filters=filters)})
        assert reasons(path) == [(hop, None)]


def test_a_program_of_an_older_build_still_forwards_and_is_told_apart() -> None:
    good = good_device(small_path(small_sight()), "f0p0")
    older = replace(good, filters=tuple(replace(one, program_id=99) for one in good.filters))
    path = small_path(small_sight(), {"f0p0": older})
    assert would_drop(path) == []
    assert hop_rows(path)[1]["current"] is False


def test_a_mac_or_mtu_that_the_machine_set_itself_is_told() -> None:
    forged = DeviceSight(a_link("eth0", mac="52:54:00:00:00:66"))
    assert reasons(small_path(small_sight(), {"eth0": forged})) == [(1, "spoofed-source")]
    large = DeviceSight(a_link("eth0", mac=str(VM1), mtu=9300))
    assert reasons(small_path(small_sight(), {"eth0": large})) == [(1, None)]


def test_the_tables_of_the_host_are_looked_at() -> None:
    sight = small_sight()
    extender_tables(sight).functions[port_number(1, 1)] = Function(False)
    assert reasons(small_path(sight)) == [(2, "port-down")]
    del extender_tables(sight).functions[port_number(1, 1)]
    del extender_tables(sight).links[1]
    assert reasons(small_path(sight)) == [(2, "unknown-channel"), (3, "not-in-channel")]


def test_the_tables_of_the_bridge_are_looked_at() -> None:
    sight = small_sight()
    tables = bridge_tables(sight)
    whole = tables.ports[VETH]
    tables.ports[VETH] = replace(whole, up=False)
    assert reasons(small_path(sight)) == [(5, "port-down")]
    tables.ports[VETH] = replace(whole, mac=Mac.parse("52:54:00:00:00:77"))
    assert reasons(small_path(sight)) == [(5, "spoofed-source")]
    tables.ports[VETH] = whole
    del tables.veths[VM1]
    assert reasons(small_path(sight)) == [(5, "no-receiver")]
    del tables.ports[VETH], tables.links[16]
    assert reasons(small_path(sight)) == [(4, "not-in-channel"), (5, "unknown-channel")]


def test_the_pinned_network_port_is_looked_at() -> None:
    sight = small_sight()
    tables = bridge_tables(sight)
    pin = tables.ports[VETH].pin
    tables.profiles[99] = Terms(vlans=frozenset({99}))
    tables.ports[pin] = replace(tables.ports[pin], profile=99)
    assert reasons(small_path(sight)) == [(6, "no-receiver")]
    tables.ports[pin] = replace(tables.ports[pin], up=False)
    assert reasons(small_path(sight)) == [(6, "no-receiver")]
    tables.ports[VETH] = replace(tables.ports[VETH], pin=0)
    path = small_path(sight)
    assert [hop.what for hop in path.hops][-1] == "vEth"
    assert reasons(path) == [(5, "no-receiver")]


def test_without_a_datapath_every_hop_of_the_node_says_so() -> None:
    path = small_path(with_node(small_sight(), HOST, NodeSight()))
    assert reasons(path) == [(2, None), (3, None)]
    assert hop_rows(path)[1]["state"] == "no datapath"
    assert tail_lines(path)[-2] == "  hop 2, nic0/0: the host has no datapath [lost, not counted]"
    path = small_path(with_node(small_sight(), BRIDGE, NodeSight()))
    assert reasons(path) == [(4, None), (6, "no-receiver")]


def test_the_entries_are_the_veth_s_own_and_what_was_heard_in_its_vlans() -> None:
    sight = small_sight()
    node = sight.nodes[BRIDGE]
    far, second = Mac.parse("02:00:00:00:00:01"), 10**9
    stations = {
        (far, 10): Station(port_number(1), 7 * second),
        (far, 20): Station(port_number(1), 7 * second),
        (Mac.parse("02:00:00:00:00:02"), 10): Station(port_number(1), -400 * second),
    }
    path = small_path(with_node(sight, BRIDGE, replace(node, stations=stations, now_ns=9 * second)))
    assert path_view(path)["entries"] == [
        {"mac": str(VM1), "vlan": None, "port": "sw-a/veth1.1", "from": "binding", "age_s": None},
        {"mac": str(far), "vlan": 10, "port": "sw-a/up0", "from": "learnt", "age_s": 2.0},
    ]
    assert "  02:00:00:00:00:01 in VLAN 10 is behind sw-a/up0, heard 2.0 s ago" in tail_lines(path)


def test_a_path_says_what_its_uplink_carries_and_who_has_what_of_it() -> None:
    shape = Shape(5_000_000, frozenset({Share(frozenset({5, 6}), 3_750_000), Share(PCPS - {5, 6}, 1_250_000)}))
    path = attached("auto")
    path = replace(path, binding=replace(path.binding, uplink=replace(path.binding.uplink, shape=shape)))
    shares = [{"pcp": [0, 1, 2, 3, 4, 7], "minimum": 10_000_000}, {"pcp": [5, 6], "minimum": 30_000_000}]
    assert path_view(path)["shape"] == {"rate": 40_000_000, "shares": shares}
    assert path_view(attached("auto"))["shape"] is None
    assert "uplink: 40Mbit, of which PCP 0-4,7 at least 10Mbit, PCP 5-6 at least 30Mbit" in tail_lines(path)
    assert "rate" in str(path_view(path)["attachment"])
