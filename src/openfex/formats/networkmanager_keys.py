# SPDX-License-Identifier: Apache-2.0
"""The keys of NetworkManager's keyfiles (nm-settings-keyfile(5)) about functions and PFs, and what they are here."""

from __future__ import annotations

from openfex.formats.report import Key

ESWITCH = "the mode of a switchdev eswitch; functions are ports of a bridge of ours here, whatever it is"
WHERE = "a document is for the machine it is applied on"

CONNECTION = (
    Key("interface-name", "pfs"),
    Key("id", code="other-subject", why="it names the profile, not an adapter"),
    Key("uuid", code="other-subject", why="it identifies the profile, not an adapter"),
    Key("type", code="other-subject", why="only a network device that is a PF has functions"),
    Key("autoconnect", code="other-subject", why="a document holds once it is applied"),
)
ETHERNET = (Key("mac-address", code="which-pf", why="a PF cannot be selected by its MAC here"),)
MATCH = (
    Key("interface-name", "pfs"),
    Key("driver", "pfs.driver"),
    Key("path", "pfs"),
    Key("kernel-command-line", code="condition", why=WHERE),
)
SRIOV = (
    Key("total-vfs", "functions"),
    Key("autoprobe-drivers", "autoprobe"),
    Key("vf.N", "settings.RANGE"),
    Key("vfs", "settings.RANGE"),
    Key("eswitch-mode", code="not-here", why=ESWITCH),
    Key("eswitch-inline-mode", code="not-here", why=ESWITCH),
    Key("eswitch-encap-mode", code="not-here", why=ESWITCH),
    Key(
        "preserve-on-down",
        code="not-here",
        why="what is applied here stays until it is released, as with 1; with 0 NetworkManager resets it",
    ),
)
VF = (
    Key("mac", "settings.RANGE.mac"),
    Key("spoof-check", "settings.RANGE.spoof-check"),
    Key("trust", "settings.RANGE.trust"),
    Key("min-tx-rate", "settings.RANGE.rate.min"),
    Key("max-tx-rate", "settings.RANGE.rate.max"),
    Key("vlans", "settings.RANGE.vlan, qos, protocol"),
)
OTHER = Key("any other", code="other-subject", why="it is not about functions")
KEYS = (
    *(Key(f"[connection] {one.theirs}", one.ours, one.code, one.why) for one in CONNECTION),
    *(Key(f"[ethernet] {one.theirs}", one.ours, one.code, one.why) for one in ETHERNET),
    *(Key(f"[match] {one.theirs}", one.ours, one.code, one.why) for one in MATCH),
    *(Key(f"[sriov] {one.theirs}", one.ours, one.code, one.why) for one in SRIOV),
    *(Key(f"[sriov] vf.N {one.theirs}", one.ours, one.code, one.why) for one in VF),
    Key("[sriov] vf.N, a second VLAN", code="not-here", why="no kernel takes more than one VLAN for a function"),
    Key("any other key or section", code=OTHER.code, why=OTHER.why),
)
