# SPDX-License-Identifier: Apache-2.0
"""The keys of nmstate about functions and PFs, and what they are here."""

from __future__ import annotations

from openfex.formats.report import Key

INTERFACE = (
    Key("name", "pfs"),
    Key("identifier", "pfs"),
    Key("pci-address", "pfs"),
    Key("type", code="other-subject", why="only a network device that is a PF has functions"),
    Key("state", code="other-subject", why="whether the PF is up is not said here"),
)
SRIOV = (
    Key("total-vfs", "functions"),
    Key("drivers-autoprobe", "autoprobe"),
    Key("vfs", "settings"),
)
VF = (
    Key("id", "settings.RANGE"),
    Key("mac-address", "settings.RANGE.mac"),
    Key("spoof-check", "settings.RANGE.spoof-check"),
    Key("trust", "settings.RANGE.trust"),
    Key("min-tx-rate", "settings.RANGE.rate.min"),
    Key("max-tx-rate", "settings.RANGE.rate.max"),
    Key("vlan-id", "settings.RANGE.vlan"),
    Key("qos", "settings.RANGE.qos"),
    Key("vlan-proto", "settings.RANGE.protocol"),
    Key("iface-name", code="ignored-there", why="nmstate only shows it"),
)
REVERT = "here nothing is set then, and functions that are carved anew have their driver's defaults"
OTHER = Key("any other", code="other-subject", why="it is not about functions")
OF_A_FUNCTION = Key("sriov:PF:ID", code="other-subject", why="it is about the function's own network device")
KEYS = (
    *(Key(f"interfaces.{one.theirs}", one.ours, one.code, one.why) for one in INTERFACE),
    Key("interfaces.identifier: mac-address", code="which-pf", why="a PF cannot be selected by its MAC here"),
    *(Key(f"interfaces.ethernet.sr-iov.{one.theirs}", one.ours, one.code, one.why) for one in SRIOV),
    Key("interfaces.ethernet.sr-iov.vfs: []", code="revert-all", why=REVERT),
    *(Key(f"interfaces.ethernet.sr-iov.vfs.{one.theirs}", one.ours, one.code, one.why) for one in VF),
    Key(f"interfaces, name {OF_A_FUNCTION.theirs}", code=OF_A_FUNCTION.code, why=OF_A_FUNCTION.why),
    Key("any other key or interface", code=OTHER.code, why=OTHER.why),
)
