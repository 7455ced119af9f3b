# SPDX-License-Identifier: Apache-2.0
"""The keys of netplan's YAML about functions and PFs, and what they are here."""

from __future__ import annotations

from openfex.formats.report import Key

WHICH = "netplan knows the function by its name alone; its number is not in the file"
NOT_OF_THE_PF = "a PF cannot be selected by it here"

PF = (
    Key("virtual-function-count", "functions"),
    Key("match.name", "pfs"),
    Key("match.driver", "pfs.driver"),
    Key("match.macaddress", code="which-pf", why=f"{NOT_OF_THE_PF}; with set-name the PF is selected by that name"),
    Key("set-name", "pfs"),
    Key(
        "embedded-switch-mode",
        code="not-here",
        why="the mode of a switchdev eswitch; functions are ports of a bridge here",
    ),
    Key("delay-virtual-functions-rebind", code="not-here", why="it is about changing the embedded-switch-mode"),
)
VF = (
    Key("link", "functions, if virtual-function-count does not say them"),
    Key("macaddress", "settings.RANGE.mac"),
    Key("match", code="which-function", why=WHICH),
    Key("set-name", code="other-subject", why="devices are not named here"),
)
VLAN = (
    Key("renderer: sriov", "with id and link: settings.RANGE.vlan"),
    Key("id", "settings.RANGE.vlan"),
    Key("link", "settings.RANGE"),
)
OTHER = Key("any other", code="other-subject", why="it is not about functions")
KEYS = (
    *(Key(f"ethernets.PF.{one.theirs}", one.ours, one.code, one.why) for one in PF),
    *(Key(f"ethernets.VF.{one.theirs}", one.ours, one.code, one.why) for one in VF),
    *(Key(f"vlans.VLAN.{one.theirs}", one.ours, one.code, one.why) for one in VLAN),
    Key("any other key", code=OTHER.code, why=OTHER.why),
)
