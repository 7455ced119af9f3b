# SPDX-License-Identifier: Apache-2.0
"""The keys of systemd.link(5) and systemd.network(5) about functions and PFs, and what they are here."""

from __future__ import annotations

from openfex.formats.report import Key

NAMING = "devices are not named here: the name stays udev's business"
WHERE = "a document is for the machine it is applied on"
NOT_OF_THE_PF = "a PF cannot be selected by it here"
VENDOR, DEVICE = "ID_VENDOR_ID", "ID_MODEL_ID"
"""The udev properties that hold the PCI ids of a network device."""

MATCH = (
    Key("OriginalName", "pfs"),
    Key("Name", "pfs"),
    Key("Path", "pfs"),
    Key("Driver", "pfs.driver"),
    Key("Property", "pfs.vendor, pfs.device"),
    Key("MACAddress", code="which-pf", why=NOT_OF_THE_PF),
    Key("PermanentMACAddress", code="which-pf", why=NOT_OF_THE_PF),
    Key("Kind", code="which-pf", why=NOT_OF_THE_PF),
    Key("Type", code="other-subject", why="only a network device that is a PF has functions"),
    Key("Host", code="condition", why=WHERE),
    Key("Virtualization", code="condition", why=WHERE),
    Key("KernelCommandLine", code="condition", why=WHERE),
    Key("KernelVersion", code="condition", why=WHERE),
    Key("Credential", code="condition", why=WHERE),
    Key("Architecture", code="condition", why=WHERE),
    Key("Firmware", code="condition", why=WHERE),
)
LINK = (
    Key("SR-IOVVirtualFunctions", "functions"),
    Key("Name", code="other-subject", why=f"{NAMING}; while this file is in force, select the PF by this name"),
    Key("NamePolicy", code="other-subject", why=NAMING),
    Key("AlternativeName", code="other-subject", why=NAMING),
    Key("AlternativeNamesPolicy", code="other-subject", why=NAMING),
    Key("MACAddressPolicy", code="other-subject", why="it is about the MAC of the PF itself"),
    Key("MACAddress", code="other-subject", why="it is the MAC of the PF itself"),
    Key("MTUBytes", code="other-subject", why="it is the MTU of the PF itself"),
)
SRIOV = (
    Key("VirtualFunction", "settings.RANGE"),
    Key("MACAddress", "settings.RANGE.mac"),
    Key("VLANId", "settings.RANGE.vlan"),
    Key("QualityOfService", "settings.RANGE.qos"),
    Key("VLANProtocol", "settings.RANGE.protocol"),
    Key("MACSpoofCheck", "settings.RANGE.spoof-check"),
    Key("Trust", "settings.RANGE.trust"),
    Key("LinkState", "settings.RANGE.link"),
    Key("QueryReceiveSideScaling", "settings.RANGE.rss-query"),
)
OTHER = Key("any other", code="other-subject", why="it is not about functions")
KEYS = (
    *(Key(f"[Match] {one.theirs}", one.ours, one.code, one.why) for one in MATCH),
    *(Key(f"[Link] {one.theirs}", one.ours, one.code, one.why) for one in LINK),
    *(Key(f"[SR-IOV] {one.theirs}", one.ours, one.code, one.why) for one in SRIOV),
    Key("any other key of [Match]", code="which-pf", why=NOT_OF_THE_PF),
    Key("any other key or section", code=OTHER.code, why=OTHER.why),
)
