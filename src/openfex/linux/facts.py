# SPDX-License-Identifier: Apache-2.0
"""What there is on this machine that openfex uses, or that disturbs it: read or tried, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openfex.errors import OpenfexError
from openfex.linux import ethtool, netns
from openfex.linux.capability import Capabilities, probe
from openfex.linux.netlink import Netlink
from openfex.linux.sysctl import read_sysctl

OFFLOADS = ("tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp-segmentation", "tx-checksum-ip-generic", "rx-gro")
LARGEST_MTU = 65_535


@dataclass(frozen=True)
class Facts:
    """`bridge_filter` None: br_netfilter is not loaded. `offloads`: those of a veth that can be on. `tools`: paths."""

    can: Capabilities
    release: str
    largest_mtu: bool
    offloads: frozenset[str]
    bridge_filter: str | None
    backlog: int
    """Frames that may wait for a CPU (net.core.netdev_max_backlog); 0 where that cannot be read."""
    tools: Mapping[str, str | None]
    objects: str
    """Why there are no compiled programs; empty if there are."""

    @property
    def version(self) -> tuple[int, int]:
        """Of the kernel."""
        numbers = self.release.split("-")[0].split(".")
        return int(numbers[0]), int(numbers[1])


def gather(tools: Iterable[str], objects: str) -> Facts:
    """Find all of it out. Never raises."""
    can = probe()
    offloads, largest = _try_veth() if can.netns else (frozenset(), False)
    return Facts(
        can=can,
        release=os.uname().release,
        largest_mtu=largest,
        offloads=offloads,
        bridge_filter=_setting("net.bridge.bridge-nf-call-iptables"),
        backlog=int(_setting("net.core.netdev_max_backlog") or 0),
        tools={name: shutil.which(name) for name in tools},
        objects=objects,
    )


def _try_veth() -> tuple[frozenset[str], bool]:
    try:
        with netns.unnamed(), Netlink() as netlink:
            netlink.add_veth("probe0", "probe1", mtu=LARGEST_MTU)
            found = ethtool.features(None, "probe0")
            return frozenset(
                name for name in OFFLOADS if name in found and (found[name].on or found[name].changeable)
            ), True
    except OpenfexError:
        return frozenset(), False


def _setting(key: str) -> str | None:
    try:
        return read_sysctl(None, key)
    except OpenfexError:
        return None
