# SPDX-License-Identifier: Apache-2.0
"""Runs in a twin: takes an NVMe controller's flexible resources, or gives two of each to secondary controllers 1 and 2.

`secondaries.py take|give CONTROLLER`. What it prints is the list of secondary controllers afterwards, a line each: its
id, whether it is online, its queues and interrupts.
"""

from __future__ import annotations

import sys

from openfex.linux.nvme import Nvme
from openfex.model.storage import Resource
from openfex.wire.nvme import Action, Cns, VirtualizationManagement, decode_secondaries, identify

SECONDARIES = (1, 2)


def main() -> None:
    what, name = sys.argv[1:]
    door = Nvme()
    actions = []
    for resource in (Resource.INTERRUPTS, Resource.QUEUES):
        if what == "take":
            actions.append(VirtualizationManagement(Action.PRIMARY_FLEXIBLE, 0, resource))
        else:
            actions += [VirtualizationManagement(Action.ASSIGN, one, resource, 2) for one in SECONDARIES]
    if what == "give":
        actions += [VirtualizationManagement(Action.ONLINE, one) for one in SECONDARIES]
    for action in actions:
        door.submit(name, action.command())
    for one in decode_secondaries(door.submit(name, identify(Cns.SECONDARIES)).data):
        print(one.controller, int(one.online), one.queues, one.interrupts)


if __name__ == "__main__":
    main()
