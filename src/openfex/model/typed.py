# SPDX-License-Identifier: Apache-2.0
"""The types of what documents hold: each a value as it is written (written.py), and whose name it is, if it is one."""

from __future__ import annotations

from typing import Annotated, Literal

from openfex.model import written, written_policy
from openfex.model.forms import AtLeastOne, NameOf
from openfex.model.spec import one_or_more
from openfex.model.values import Mac

Fabric = Literal["a", "b"]
Name = Annotated[str, written.NAME]
BridgeName = Annotated[str, written.NAME, NameOf("bridge")]
HostName = Annotated[str, written.NAME, NameOf("host")]
ProfileName = Annotated[str, written.NAME, NameOf("profile")]
Device = Annotated[str, written.DEVICE]
PortName = Annotated[str, written.DEVICE, NameOf("network port")]
Function = Annotated[str, written.FUNCTION]
Wire = Annotated[tuple[str, str], written.WIRE]
Vlan = Annotated[int, written.VLAN]
MacAddress = Annotated[Mac, written.MAC]
Address = Annotated[str, written.ADDRESS]
Addresses = Annotated[tuple[Address, ...], one_or_more(written.ADDRESS)]
Milliseconds = Annotated[int, written.DURATION]
Mtu = Annotated[int, written.MTU]
Count = Annotated[int, written.COUNT]
Mebibytes = Annotated[int, written.MEMORY]
Cpus = Annotated[int, written.CPUS]
File = Annotated[str, written.FILE]
Model = Annotated[str, written.MODEL]
Truth = Annotated[bool, written.TRUTH]
BitRate = Annotated[int, written_policy.RATE]
Pcps = Annotated[tuple[Annotated[int, written_policy.PCP], ...], AtLeastOne(), one_or_more(written_policy.PCP)]
