# SPDX-License-Identifier: Apache-2.0
"""Links, addresses and filters in a real kernel; iproute2 says whether they are what we said."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator

import pytest

from openfex.datapath.objects import object_path
from openfex.errors import KernelError, NotFoundError
from openfex.linux import netns
from openfex.linux.libbpf import Object, Program
from openfex.linux.netlink import Filter, Netlink
from openfex.linux.packet import PacketSocket
from openfex.model.values import Mac

pytestmark = [pytest.mark.root, pytest.mark.interop]
DEADLINE_S = 5.0
NAME, FAR = "fex-test-nl", "fex-test-nl-far"
MAC, PEER_MAC = Mac.parse("52:54:00:00:00:01"), Mac.parse("52:54:00:00:00:02")


@pytest.fixture
def netlink() -> Iterator[Netlink]:
    for name in (NAME, FAR):
        netns.delete(name)
        netns.create(name)
    with Netlink(NAME) as door:
        yield door
    netns.delete(NAME)
    netns.delete(FAR)


def shown(*words: str, space: str = NAME) -> list[dict[str, object]]:
    """What `ip -json` or `tc -json` says in a name space."""
    answer = netns.run(space, [words[0], "-json", "-details", *words[1:]], check=True).stdout
    found: list[dict[str, object]] = json.loads(answer or "[]")
    return found


def test_a_pair_is_made_in_one_step_in_two_name_spaces(netlink: Netlink) -> None:
    netlink.add_veth(
        "a", "b", mtu=1600, mac=MAC, peer_mac=PEER_MAC, peer_netns=FAR, alias="fex: a function of h1-nic0", up=True
    )
    near, far = shown("ip", "link", "show", "a")[0], shown("ip", "link", "show", "b", space=FAR)[0]
    assert (near["mtu"], near["address"], near["ifalias"]) == (1600, str(MAC), "fex: a function of h1-nic0")
    assert (far["mtu"], far["address"], near["link_index"]) == (1600, str(PEER_MAC), far["ifindex"])
    assert "UP" in str(near["flags"])
    found = netlink.link("a")
    assert (found.index, found.kind, found.mtu, found.mac, found.alias, found.up, found.peer_index) == (
        near["ifindex"], "veth", 1600, MAC, "fex: a function of h1-nic0", True, far["ifindex"],
    )  # fmt: skip
    assert found in netlink.links()
    assert not found.carrier
    assert netlink.wait_ready(["a"], 0) == ["a"]
    with Netlink(FAR) as other:
        other.set("b", up=True)
        assert other.wait_ready(["b"], DEADLINE_S) == netlink.wait_ready(["a"], DEADLINE_S) == []
    assert netlink.link("a").carrier


def test_every_attribute_can_be_changed_and_read_back(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    netlink.set("a", mtu=9000, mac=MAC, alias="ours", up=True)
    assert (shown("ip", "link", "show", "a")[0]["mtu"], netlink.link("a").mac) == (9000, MAC)
    netlink.set("a", alias="", up=False)
    found = netlink.link("a")
    assert (found.alias, found.up, found.mtu) == ("", False, 9000)


def test_a_link_is_renamed_moved_and_raised_in_one_step(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    netlink.set("a", new_name="eth0", netns=FAR, mtu=1400, up=True)
    assert [link.name for link in netlink.links()] == ["lo", "b"]
    moved = shown("ip", "link", "show", "eth0", space=FAR)[0]
    assert moved["mtu"] == 1400
    assert "UP" in str(moved["flags"])


def test_links_of_other_kinds_are_listed(netlink: Netlink) -> None:
    netns.run(NAME, ["ip", "link", "add", "br0", "type", "bridge"], check=True)
    netlink.add_tap("vf0", 1500, txqueuelen=5000, alias="fex vf0")
    assert {link.name: link.kind for link in netlink.links()} == {"lo": "", "br0": "bridge", "vf0": "tun"}
    tap = shown("ip", "link", "show", "vf0")[0]
    assert (tap["txqlen"], tap["ifalias"], netlink.link("vf0").carrier) == (5000, "fex vf0", False)
    info = tap["linkinfo"]
    assert isinstance(info, dict)
    data = info["info_data"]
    assert (data["type"], data["persist"], data["vnet_hdr"]) == ("tap", True, True)
    netlink.delete("vf0")
    netlink.delete("vf0")
    assert [link.name for link in netlink.links()] == ["lo", "br0"]


def test_what_is_not_there_is_named(netlink: Netlink) -> None:
    for ask in (
        lambda: netlink.link("nope"),
        lambda: netlink.set("nope", up=True),
        lambda: netlink.set("nope", new_name="yes"),
        lambda: netlink.addresses("nope"),
        lambda: netlink.statistics("nope"),
        lambda: netlink.filters("nope"),
    ):
        with pytest.raises(NotFoundError, match="there is no link nope"):
            ask()


def test_the_kernels_reason_is_in_the_error(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    with pytest.raises(KernelError, match=r"cannot set link a: .*maximum") as refused:
        netlink.set("a", mtu=70000)
    assert refused.value.errno == errno.EINVAL
    with pytest.raises(KernelError, match="cannot add veth a with peer c") as refused:
        netlink.add_veth("a", "c", mtu=1500)
    assert refused.value.errno == errno.EEXIST
    assert [link.name for link in netlink.links()] == ["lo", "b", "a"]


def test_a_batch_is_sent_together_and_uses_what_it_makes(netlink: Netlink) -> None:
    with netlink.batch():
        for number in range(64):
            name = f"vf{number}"
            netlink.add_veth(name, f"h{number}", mtu=1600, peer_netns=FAR, alias=f"function {number}")
            netlink.set(name, up=True)
        netlink.add_address("vf5", "10.0.5.1/24")
    assert {link.alias for link in netlink.links() if link.up} == {"", *(f"function {n}" for n in range(64))}
    assert netlink.addresses("vf5") == ["10.0.5.1/24"]
    with Netlink(FAR) as far:
        assert len(far.links()) == 65


def test_the_first_refusal_of_a_batch_is_raised_and_the_rest_is_done(netlink: Netlink) -> None:
    def change() -> None:
        with netlink.batch():
            netlink.add_veth("a", "b", mtu=1500)
            netlink.set("missing", up=True)
            netlink.set("a", up=True)

    with pytest.raises(NotFoundError, match="there is no link missing"):
        change()
    assert netlink.link("a").up


def test_a_batch_that_is_left_by_an_error_sends_nothing(netlink: Netlink) -> None:
    def change() -> None:
        with netlink.batch():
            netlink.add_veth("a", "b", mtu=1500)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert [link.name for link in netlink.links()] == ["lo"]
    netlink.add_veth("a", "b", mtu=1500)


def test_many_links_are_deleted_together_and_no_others(netlink: Netlink) -> None:
    with netlink.batch():
        for number in range(20):
            netlink.add_veth(f"a{number}", f"b{number}", mtu=1500)
    netlink.delete_many([*(f"a{number}" for number in range(19)), "missing"])
    assert sorted(link.name for link in netlink.links()) == ["a19", "b19", "lo"]
    netlink.delete_many([])
    netlink.delete_many(["missing"])
    assert len(netlink.links()) == 3


def test_addresses_of_both_families(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    for cidr in ("10.0.0.1/24", "fd00::1/64", "10.0.0.1/24"):
        netlink.add_address("a", cidr)
    assert netlink.addresses("a") == ["10.0.0.1/24", "fd00::1/64"]
    assert netlink.addresses("b") == []
    info = shown("ip", "address", "show", "dev", "a")[0]["addr_info"]
    assert isinstance(info, list)
    assert [(one["local"], one.get("tentative")) for one in info] == [("10.0.0.1", None), ("fd00::1", None)]
    assert info[1]["nodad"]


def test_counters_are_those_of_ip(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500, up=True)
    netlink.set("b", up=True)
    assert netlink.wait_ready(["a", "b"], DEADLINE_S) == []
    before = netlink.statistics("b")
    with PacketSocket("a", netns=NAME) as near, PacketSocket("b", netns=NAME, protocol=0x88B5) as far:
        near.send_many([bytes(12) + b"\x88\xb5" + bytes(86)] * 50)
        assert [far.receive(5) is not None for _ in range(50)] == [True] * 50
    after, stats = netlink.statistics("b"), shown("ip", "-s", "link", "show", "b")[0]["stats64"]
    assert after.rx_packets - before.rx_packets >= 50
    assert after.rx_bytes - before.rx_bytes >= 5000
    assert isinstance(stats, dict)
    assert (stats["rx"]["packets"], stats["rx"]["dropped"]) >= (after.rx_packets, after.rx_dropped)
    assert netlink.all_statistics()["b"].rx_packets >= after.rx_packets
    assert set(netlink.all_statistics()) == {"lo", "a", "b"}


def test_a_filter_is_attached_replaced_and_detached(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    netlink.add_clsact("a")
    netlink.add_clsact("a")
    with Program.trivial() as first, Program.trivial() as second:
        netlink.attach("a", first.fd, label="openfex:a", classid=5 << 12 | 7)
        netlink.attach("a", second.fd, label="openfex:a:2", classid=9, priority=2)
        wanted = [Filter("openfex:a", first.id, 5 << 12 | 7, 1), Filter("openfex:a:2", second.id, 9, 2)]
        assert netlink.filters("a") == wanted
        netlink.attach("a", second.fd, label="new", classid=8)
        assert netlink.filters("a") == [Filter("new", second.id, 8, 1), wanted[1]]
    said = netns.run(NAME, ["tc", "filter", "show", "dev", "a", "ingress"], check=True).stdout
    assert "filter protocol all pref 1 bpf" in said
    assert f"handle 0x1 flowid :8 new direct-action not_in_hw id {second.id}" in said
    netlink.detach("a", 1)
    netlink.detach("a", 1)
    assert [one.priority for one in netlink.filters("a")] == [2]


def test_filters_of_others_are_left_alone(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    netlink.add_clsact("a")
    match = ["u32", "match", "u32", "0", "0", "classid", "1:1"]
    netns.run(NAME, ["tc", "filter", "add", "dev", "a", "ingress", "protocol", "ip", "prio", "7", *match], check=True)
    assert netlink.filters("a") == []
    netlink.detach("a", 1)
    assert "u32" in netns.run(NAME, ["tc", "filter", "show", "dev", "a", "ingress"], check=True).stdout


def test_a_link_without_clsact_has_no_filters_and_takes_none(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    assert netlink.filters("a") == []
    netlink.detach("a", 1)
    with Program.trivial() as program, pytest.raises(KernelError, match="cannot attach x to a"):
        netlink.attach("a", program.fd, label="x", classid=1)


def test_a_socket_stays_in_its_name_space(netlink: Netlink) -> None:
    with netns.entered(FAR):
        netlink.add_veth("a", "b", mtu=1500)
        netlink.add_tap("t", 1500)
        with Netlink() as here:
            assert [link.name for link in here.links()] == ["lo"]
    assert [link.name for link in netlink.links()] == ["lo", "b", "a", "t"]


def test_an_xdp_program_is_replaced_in_one_step_and_only_if_it_is_the_expected_one(netlink: Netlink) -> None:
    netlink.add_veth("a", "b", mtu=1500)
    with Object.load(object_path("bench", "traffic")) as loaded:
        one, other = loaded.program("bench_send"), loaded.program("bench_xdp_sink")
        netlink.replace_xdp("a", one.fd, -1)
        assert netlink.link("a").xdp == one.id
        shown_program = shown("ip", "link", "show", "a")[0]["xdp"]
        assert isinstance(shown_program, dict)
        assert (shown_program["mode"], shown_program["prog"]["id"]) == (1, one.id)
        for expected in (-1, other.fd):
            with pytest.raises(KernelError) as refused:
                netlink.replace_xdp("a", other.fd, expected)
            assert refused.value.errno == errno.EEXIST
        netlink.replace_xdp("a", other.fd, one.fd)
        assert {link.name: link.xdp for link in netlink.links()} == {"lo": 0, "a": other.id, "b": 0}
        netlink.replace_xdp("a", -1, other.fd)
        assert netlink.link("a").xdp == 0
        with pytest.raises(NotFoundError):
            netlink.replace_xdp("nope", one.fd, -1)
