# SPDX-License-Identifier: Apache-2.0
"""A small lab for examples: one bridge, two network ports, two hosts, and what is behind them.

    h1 (VN-Tag)   1: web    2: web    3: carved, not bound    4: trunk (20 tagged, 10 native)
    h2 (E-Tag)    1: web    2: db     3: carved, not bound
    net1: trunk of 10 and 20, nothing untagged    net2: access 10

web is access VLAN 10, db access VLAN 20. All are pinned to net1, but for h2's first, which is pinned to net2.
"""

from __future__ import annotations

from openfex.model.layout import Layout
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.testing.fabric import Spot
from openfex.testing.layouts import LayoutBuilder, access, trunk, veth_mac
from openfex.wire import Frame, Tag

WEB, DB = access(10), access(20)
H1, H2 = 16, 17
"""The hosts' links at the bridge; each calls its uplink 1."""
NET1, NET2 = port_number(1), port_number(2)
STATION = Mac.parse("02:00:00:00:00:01")
OTHER_STATION = Mac.parse("02:00:00:00:00:02")
SECOND_NS = 10**9


def layout() -> Layout:
    builder = LayoutBuilder()
    sw = builder.bridge("sw-a")
    net1, net2 = builder.port(sw, trunk({10, 20})), builder.port(sw, access(10))
    h1 = builder.host("h1", ChannelKind.VNTAG, [sw], [1, 2, 3, 4])
    h2 = builder.host("h2", ChannelKind.ETAG, [sw], [1, 2, 3])
    builder.bind(h1, 1, WEB, net1)
    builder.bind(h1, 2, WEB, net1)
    builder.bind(h1, 4, trunk({20}, native=10), net1)
    builder.bind(h2, 1, WEB, net2)
    builder.bind(h2, 2, DB, net1)
    return builder.layout()


def bridge_tables() -> BridgeTables:
    return compile_bridge(layout(), "sw-a")


def extender_tables(host: str) -> ExtenderTables:
    plan = layout()
    return compile_extender(plan, plan.host(host), {"sw-a": compile_bridge(plan, "sw-a")})


def mac(link: int, channel: int) -> Mac:
    """The MAC of a vEth."""
    return veth_mac(link, channel)


def vnic(link: int, channel: int) -> Spot:
    """Where a vEth's machine is: its function's port on the host."""
    return Spot({H1: "h1", H2: "h2"}[link], port_number(1, channel))


def frame(dst: Mac, src: Mac, *tags: Tag) -> bytes:
    """A frame with these tags, the outermost first."""
    return Frame(dst, src, 0x1234, bytes(46), tags).encode()
