# SPDX-License-Identifier: Apache-2.0
"""Kernel settings and offloads of one name space, against sysctl and ethtool; and what this machine can do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.errors import InputError, KernelError, NotFoundError, UnsupportedError
from openfex.linux import netns
from openfex.linux.capability import probe
from openfex.linux.ethtool import features, set_feature
from openfex.linux.netlink import Netlink
from openfex.linux.sysctl import read_sysctl, sysctl

pytestmark = [pytest.mark.root, pytest.mark.interop]
NAME = "fex-test-settings"
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def space() -> Iterator[str]:
    netns.delete(NAME)
    netns.create(NAME)
    with Netlink(NAME) as netlink:
        netlink.add_veth("up.a", "b", mtu=1500)
    yield NAME
    netns.delete(NAME)


def ethtool(space: str) -> dict[str, str]:
    said = netns.run(space, ["ethtool", "-k", "up.a"], check=True).stdout
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}


def test_a_setting_is_changed_in_its_name_space_only(space: str) -> None:
    before = read_sysctl(None, "net.ipv4.ip_default_ttl")
    sysctl(space, "net.ipv4.ip_default_ttl", 77)
    assert netns.run(space, ["cat", "/proc/sys/net/ipv4/ip_default_ttl"], check=True).stdout == "77\n"
    assert read_sysctl(space, "net.ipv4.ip_default_ttl") == "77"
    assert read_sysctl(None, "net.ipv4.ip_default_ttl") == before != "77"


def test_a_link_with_a_dot_in_its_name_has_settings(space: str) -> None:
    sysctl(space, "net/ipv4/conf/up.a/forwarding", "1")
    assert read_sysctl(space, "net/ipv4/conf/up.a/forwarding") == "1"


def test_settings_that_are_not_there_or_not_taken(space: str) -> None:
    with pytest.raises(NotFoundError, match=r"no setting net\.ipv4\.nope"):
        sysctl(space, "net.ipv4.nope", 1)
    with pytest.raises(KernelError, match="Invalid argument"):
        sysctl(space, "net.ipv4.ip_forward", "rubbish")


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ("gro", "generic-receive-offload"),
        ("tso", "tcp-segmentation-offload"),
        ("rx-gro-list", "rx-gro-list"),
    ],
)
def test_an_offload_is_switched_as_ethtool_does(space: str, feature: str, said: str) -> None:
    for on in (True, False, True, True):
        set_feature(space, "up.a", feature, on)
        assert ethtool(space)[said].startswith("on" if on else "off")


def test_features_are_those_of_ethtool(space: str) -> None:
    said, found = ethtool(space), features(space, "up.a")
    both = {name for name in found if name in said}
    assert len(both) > 20
    assert {name: found[name].on for name in both} == {name: said[name].startswith("on") for name in both}
    assert {name for name in both if not found[name].changeable} == {name for name in both if "[fixed]" in said[name]}


def test_what_a_link_cannot_do_is_told(space: str) -> None:
    with pytest.raises(UnsupportedError) as fixed:
        set_feature(space, "up.a", "lro", True)
    assert fixed.value.code == "feature-fixed"
    set_feature(space, "up.a", "lro", False)
    with pytest.raises(InputError):
        set_feature(space, "up.a", "warp-drive", True)
    with pytest.raises(NotFoundError):
        features(space, "nope")


def test_several_offloads_are_switched_together(space: str) -> None:
    wanted = {"rx-gro": True, "tx-checksum-ip-generic": False, "a feature of tomorrow's kernel": True}
    with Netlink(space) as netlink:
        for on in (True, False, True):
            asked = {name: value is on for name, value in wanted.items()}
            netlink.set_features("up.a", asked)
            assert netlink.has_features("up.a", asked)
            assert not netlink.has_features("up.a", {"rx-gro": not asked["rx-gro"]})
        assert features(space, "up.a")["rx-gro"].on
        assert not features(space, "up.a")["tx-checksum-ip-generic"].on
        with pytest.raises(NotFoundError):
            netlink.has_features("nope", wanted)


def test_this_machine_can_run_the_kernel_engine_and_a_probe_leaves_nothing() -> None:
    with Netlink() as netlink:
        before = netlink.links(), netns.names()
        found = probe()
        assert (netlink.links(), netns.names()) == before
    assert found.kernel_engine
    assert found.reasons == ()
    assert found.libbpf is not None


def test_an_ordinary_user_with_a_bare_python_is_told_what_is_missing() -> None:
    path = f"import sys; sys.path.insert(0, {str(SOURCE)!r})"
    code = f"{path}; from openfex.linux.capability import probe; print(probe())"
    plain = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = subprocess.run([*plain, sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "root=False, netns=False, bpf=False" in done.stdout
    assert "This is not root" in done.stdout
