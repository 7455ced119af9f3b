# SPDX-License-Identifier: Apache-2.0
"""A guest as the arguments of a QEMU: what is written there is what is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import InputError
from openfex.machine.command_line import Hardware, read_command, read_setup, write_command, write_setup
from openfex.model.values import Mac
from openfex.plan.objects import GuestNic, GuestSpec

HARDWARE = Hardware("tcg", Path("/boot/k,1"), Path("/boot/i"))
FOLDER = Path("/run/openfex/lab/vm/vm1")
NIC = GuestNic("eth0", "f0p0", Mac.parse("52:54:00:00:00:01"), 1500, ("10.0.10.1/24", "fd00::1/64"))
SPEC = GuestSpec(192, 1, (NIC,))

words = st.from_regex(r"[A-Za-z0-9_.:/-]{1,20}", fullmatch=True)
paths = st.just("") | st.from_regex(r"/[^\n\0\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]{0,20}", fullmatch=True)
nics = st.builds(
    GuestNic,
    words,
    words,
    st.builds(Mac, st.binary(min_size=6, max_size=6)),
    st.integers(68, 65_535),
    st.lists(words, max_size=3).map(tuple),
)
specs = st.builds(GuestSpec, st.integers(128, 1 << 20), st.integers(1, 64), st.lists(nics, max_size=4).map(tuple))


@given(specs, paths, paths)
def test_what_a_guest_was_started_with_is_read_back(spec: GuestSpec, kernel: str, image: str) -> None:
    spec = GuestSpec(spec.memory_mib, spec.cpus, spec.nics, kernel, image)
    assert read_setup(write_setup(spec)) == spec
    assert read_command(write_command("fex_lab_machine_vm1", spec, HARDWARE, FOLDER)) == ("fex_lab_machine_vm1", spec)


def test_a_comma_ends_no_option() -> None:
    argv = write_command("n", SPEC, HARDWARE, Path("/run/a,b"))
    assert "/boot/k,1" in argv
    assert "unix:/run/a,,b/qmp,server=on,wait=off" in argv


def test_each_nic_is_the_tap_that_is_its_function() -> None:
    argv = write_command("n", SPEC, HARDWARE, FOLDER)
    assert "tap,id=nic0,ifname=f0p0,script=no,downscript=no,vhost=off" in argv
    assert "virtio-net-pci,netdev=nic0,mac=52:54:00:00:00:01,host_mtu=1500,romfile=" in argv


def test_sockets_have_room_for_the_longest_names() -> None:
    """A path of a Unix socket has 108 octets, the last of them zero."""
    folder = Path("/run/openfex") / ("l" * 40) / "vm" / ("m" * 40)
    argv = write_command("n", SPEC, HARDWARE, folder)
    paths = [
        part.removeprefix("path=")
        for one in argv
        for part in one.split(",")
        if part.startswith("path=/") and not part.endswith(".log")
    ]
    assert len(paths) > 2
    assert max(map(len, paths)) < 108


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["sleep", "-name", "fex_lab_machine_vm1", "-fw_cfg", "name=opt/org.openfex/setup,string=memory 1"],
        ["/usr/bin/qemu-system-x86_64", "-name", "fex_lab_machine_vm1"],
        ["/usr/bin/qemu-system-x86_64", "-name", "x", "-fw_cfg", "name=opt/org.openfex/setup,string=memory 1"],
    ],
)
def test_a_stranger_is_no_guest_of_ours(argv: list[str]) -> None:
    assert read_command(argv) is None


@pytest.mark.parametrize("text", ["", "memory x\ncpus 1\nkernel \nimage \n", "nic eth0 f0p0\n"])
def test_what_was_not_written_so_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        read_setup(text)
    assert refused.value.code == "bad-guest-setup"
