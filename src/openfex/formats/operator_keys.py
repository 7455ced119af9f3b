# SPDX-License-Identifier: Apache-2.0
"""The keys of sriov-network-operator's policies and networks (its `api/v1`), and what they are here."""

from __future__ import annotations

from openfex.formats.report import Key

NODES = "a document is for the machine it is applied on"
POD = "it is for what a pod gets when it is attached"
ESWITCH = "the mode of a switchdev eswitch; functions are ports of a bridge here"

SELECTOR = (
    Key("vendor", "pfs.vendor"),
    Key("deviceID", "pfs.device"),
    Key("pfNames", "pfs; #FIRST-LAST: these functions only"),
    Key("rootDevices", "pfs"),
    Key("netFilter", code="which-pf", why="a PF cannot be selected by a network of a cloud here"),
)
POLICY = (
    Key("numVfs", "functions"),
    Key("deviceType", "settings.RANGE.driver; netdevice is device"),
    Key("resourceName", "settings.RANGE.purpose"),
    Key("priority", "which of two policies holds for a function"),
    Key("externallyManaged", "functions: left out"),
    Key("nodeSelector", code="condition", why=NODES),
    Key("mtu", code="not-here", why="the MTU of a function is said where it is used"),
    Key("isRdma", code="not-here", why="RDMA is not set up here"),
    Key("needVhostNet", code="not-here", why="it is for the pod that gets the function"),
    Key("eSwitchMode", code="not-here", why=ESWITCH),
    Key("eSwitchParams", code="not-here", why=ESWITCH),
    Key("bridge", code="not-here", why=ESWITCH),
    Key("vdpaType", code="not-here", why="vDPA devices are not made here"),
    Key("linkType", code="not-here", why="whether a port is Ethernet or InfiniBand is not set here"),
    Key("excludeTopology", code="not-here", why="it is for the scheduler of pods"),
)
NETWORK = (
    Key("resourceName", "which policies' functions it is about"),
    Key("vlan", "settings.RANGE.vlan"),
    Key("vlanQoS", "settings.RANGE.qos"),
    Key("vlanProto", "settings.RANGE.protocol"),
    Key("spoofChk", "settings.RANGE.spoof-check"),
    Key("trust", "settings.RANGE.trust"),
    Key("linkState", "settings.RANGE.link; enable is up, disable is down"),
    Key("minTxRate", "settings.RANGE.rate.min"),
    Key("maxTxRate", "settings.RANGE.rate.max"),
    Key("networkNamespace", code="other-subject", why=POD),
    Key("ipam", code="other-subject", why=POD),
    Key("capabilities", code="other-subject", why=POD),
    Key("metaPlugins", code="other-subject", why=POD),
    Key("allMulticast", code="not-here", why="which multicast a function gets is the bridge's to say"),
    Key("logLevel", code="other-subject", why=POD),
    Key("logFile", code="other-subject", why=POD),
)
ALIAS = "the operator reads pfNames; its own examples write pfName, too"
OTHER = Key("any other", code="other-subject", why="it is not about functions")
KEYS = (
    *(Key(f"SriovNetworkNodePolicy nicSelector.{one.theirs}", one.ours, one.code, one.why) for one in SELECTOR),
    *(Key(f"SriovNetworkNodePolicy {one.theirs}", one.ours, one.code, one.why) for one in POLICY),
    *(Key(f"SriovNetwork {one.theirs}", one.ours, one.code, one.why) for one in NETWORK),
    Key("any other key or kind", code=OTHER.code, why=OTHER.why),
)
