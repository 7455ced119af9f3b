# SPDX-License-Identifier: Apache-2.0
"""NVMe commands and structures, octet by octet."""

from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.model.storage import Resource, Share
from openfex.wire import nvme as wire
from openfex.wire.nvme import (
    Action,
    AdminCommand,
    Cns,
    ControllerIdentity,
    NamespaceIdentity,
    PrimaryCapabilities,
    VirtualizationManagement,
    attach_namespace,
    identify,
)

# The beginnings of what QEMU 10.0.2's controller answered with, which had 8 queues and 8 interrupts to share out, when
# its four functions had 2 queues and 1 interrupt each. nvme-cli 2.3 read the same numbers from it (tests/vm).
QEMU_PRIMARY = bytes.fromhex(
    "0000000003000000000000000000000000000000000000000000000000000000"
    "0800000008000000000005000300010000000000000000000000000000000000"
    "0800000004000000000004000300010000000000000000000000000000000000"
)  # fmt: skip
QEMU_SECONDARIES = bytes.fromhex(
    "0400000000000000000000000000000000000000000000000000000000000000"
    "0100000001000000010002000100000000000000000000000000000000000000"
    "0200000001000000020002000100000000000000000000000000000000000000"
)  # fmt: skip
QEMU_CONTROLLER = bytes.fromhex(
    "361bf41a737364302020202020202020202020202020202051454d55204e564d"
    "65204374726c202020202020202020202020202020202020202020202020202031302e302e322020"
    "060054520207000000040100"
)
QEMU_NAMESPACE = bytes.fromhex("000002000000000000000200000000000000020000000000340700031f000000")
QEMU_FORMATS = bytes.fromhex("0000090008000900100009004000090000000c0008000c0010000c0040000c00")
SECONDARY = QEMU_SECONDARIES[64:]


def test_virtualization_management_is_in_dwords_10_and_11() -> None:
    """nvme virt-mgmt -c 4 -r 1 -a 8 -n 2"""
    octets = VirtualizationManagement(Action.ASSIGN, 4, Resource.INTERRUPTS, 2).command().encode()
    assert len(octets) == 64
    assert octets[0] == 0x1C
    assert octets[40:48].hex() == "08010400" + "02000000"
    assert not any(octets[1:40] + octets[48:])


def test_identify_says_what_and_from_where() -> None:
    command = identify(Cns.SECONDARIES, controller=7)
    assert (command.opcode, command.cdw10, command.room) == (0x06, 0x0007_0015, 4096)
    assert identify(Cns.ALLOCATED_NAMESPACES, 3).encode()[4:8] == b"\3\0\0\0"


def test_a_namespace_is_attached_to_a_list_of_controllers() -> None:
    command = attach_namespace(5, [4, 2])
    assert (command.opcode, command.nsid, command.cdw10) == (0x15, 5, 0)
    assert command.data == b"\2\0\2\0\4\0".ljust(4096, b"\0")
    assert attach_namespace(5, [4], attach=False).cdw10 == 1


def test_data_pointers_stand_at_24_and_32() -> None:
    octets = AdminCommand(0x06).encode(0x1122334455667788, 0x1000 << 32)
    assert octets[24:40].hex() == "8877665544332211" + "0000000000100000"


def test_qemu_s_primary_capabilities_are_read() -> None:
    found = PrimaryCapabilities.decode(QEMU_PRIMARY.ljust(4096, b"\0"))
    assert found == PrimaryCapabilities(0, Share(8, 8, 0, 5, 3, 1), Share(8, 4, 0, 4, 3, 1))
    assert found.encode() == QEMU_PRIMARY.ljust(4096, b"\0")


def test_a_resource_that_is_not_flexible_is_none() -> None:
    octets = bytearray(QEMU_PRIMARY.ljust(4096, b"\0"))
    octets[4] = 1
    assert PrimaryCapabilities.decode(bytes(octets)).interrupts == Share(0)


def test_qemu_s_secondaries_are_read() -> None:
    octets = b"\2" + QEMU_SECONDARIES[1:].ljust(4095, b"\0")
    assert wire.decode_secondaries(octets) == [wire.Secondary(number, 0, True, number, 2, 1) for number in (1, 2)]


def test_who_qemu_s_controller_is() -> None:
    octets = bytearray(QEMU_CONTROLLER.ljust(4096, b"\0"))
    octets[256:258] = b"\xaa\1"
    assert ControllerIdentity.decode(bytes(octets)) == ControllerIdentity(0, "ssd0", "QEMU NVMe Ctrl", True, True)
    octets[78:80], octets[256] = b"\1\2", 0x2A
    found = ControllerIdentity.decode(bytes(octets))
    assert (found.controller, found.virtualizes, found.manages_namespaces) == (0x201, False, True)


def test_qemu_s_namespace_is_read() -> None:
    octets = (QEMU_NAMESPACE.ljust(128, b"\0") + QEMU_FORMATS).ljust(4096, b"\0")
    assert NamespaceIdentity.decode(octets) == NamespaceIdentity(1 << 17, 512, shared=False)


def test_a_namespace_s_size_is_that_of_the_format_in_use() -> None:
    octets = bytearray(4096)
    octets[0], octets[26], octets[30] = 3, 0x21, 1  # format 17: 1 in bits 3-0, 1 in bits 6-5
    octets[128 + 4 * 17 + 2] = 12
    found = NamespaceIdentity.decode(bytes(octets))
    assert (found.octets, found.shared) == (3 * 4096, True)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (bytes(100), "truncated-frame"),
        (bytes([128]).ljust(4096, b"\0"), "field-out-of-range"),
        ((b"\2".ljust(32, b"\0") + SECONDARY * 2).ljust(4096, b"\0"), "list-not-ascending"),
    ],
)
def test_an_odd_secondary_list_is_refused(octets: bytes, code: str) -> None:
    with pytest.raises(WireError) as refused:
        wire.decode_secondaries(octets)
    assert refused.value.code == code


def test_too_many_for_a_list_are_refused() -> None:
    many = [wire.Secondary(number, 0, False, number, 0, 0) for number in range(128)]
    with pytest.raises(WireError):
        wire.encode_secondaries(many)
    with pytest.raises(WireError):
        wire.encode_controllers(range(2048))
    with pytest.raises(WireError):
        wire.encode_namespaces(range(1, 1026))


def test_another_command_is_no_virtualization_management() -> None:
    for command in (identify(Cns.PRIMARY), AdminCommand(0x1C, cdw10=0x2), AdminCommand(0x1C, cdw10=0x208)):
        with pytest.raises(WireError) as refused:
            VirtualizationManagement.read(command)
        assert refused.value.code == "wrong-command"
