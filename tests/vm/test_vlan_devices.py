# SPDX-License-Identifier: Apache-2.0
"""Another station with 802.1Q devices, which this kernel may not have: in a twin, whose kernel is Debian's."""

from __future__ import annotations

import sys

import pytest

from openfex.machine.stock import NEWEST
from openfex.machine.twin import Hardware, twin

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.long]
PYTEST = (sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider")
DEADLINE_S = 900.0


def test_a_station_with_a_vlan_device_is_as_its_ports_say() -> None:
    with twin(hardware=Hardware(NEWEST)) as vm:
        vm.run(("mkdir", "-p", "/dev/shm"), DEADLINE_S)  # lldpad gets one of its own in its place
        done = vm.run((*PYTEST, "tests/vm/vlan_devices.py"), DEADLINE_S)
    assert done.status == 0, done.output
