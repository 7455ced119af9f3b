# SPDX-License-Identifier: Apache-2.0
"""How many of each there can be; the kernel's twins of these numbers are in bpf/include/abi.h."""

from __future__ import annotations

FIRST_UPLINK = 16
"""A bridge's network ports are links 1..15, its uplinks 16..79."""
MAX_UPLINKS = 64
MAX_NETWORK_PORTS = FIRST_UPLINK - 1
MAX_LINKS = FIRST_UPLINK + MAX_UPLINKS
MAX_STATIONS = 65_536
MAX_LISTS = 3 * 4095
"""GRP 1..3 times 4095 bases: what an E-Tag can name. A VN-Tag could name a few more."""
MAX_VLAN_SETS = 1024
MAX_PROFILES = 4096
"""Row 0 is no profile, row 1 that of network ports that were given none."""
DEFAULT_AGEING_NS = 300 * 10**9
VLAN_ROOM = 8
"""Octets that two VLAN tags add to a frame, inside the channel's tag."""
