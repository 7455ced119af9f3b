# SPDX-License-Identifier: Apache-2.0
"""Ordinary edits of a lab file: each is done as planned, disturbs only what it is about, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.errors import DocumentError, InputError, KernelError, NotFoundError, RefusedError, VerificationError
from openfex.lab import kept, lab
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.layout import Layout
from openfex.plan.difference import Operation
from openfex.proof.bed import frame, numbers
from openfex.proof.kernel_bed import nic_place
from openfex.proof.residue import residue
from tests.netns.labs import own_work
from tests.netns.test_p6_apply import BOUND

pytestmark = pytest.mark.root
LAB = "test-edits"
TEXT = BOUND.replace("test-apply", LAB).replace("functions: 2", "functions: 4")
SECOND = "\n---\nkind: machine\nname: m2\nspec: {host: h1, nics: {eth0: {profile: web, address: 10.0.10.3/24}}}\n"
TAPS = "\n---\nkind: adapter\nname: taps\nspec: {host: h1, model: bcm-8, functions: 1, backing: tap}\n"
OTHER_HOST = """
kind: host
name: h0
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n0
spec: {host: h0, model: bcm-8, functions: 2}
---
kind: machine
name: m0
spec: {host: h0, nics: {eth0: {profile: web}}}
---
"""


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    lab.down(LAB)
    yield
    lab.down(LAB)


def _index(machine: str) -> int:
    """The number of a machine's NIC: another one would be another device."""
    with Netlink(netns_of(LAB, "machine", machine)) as netlink:
        return netlink.index("eth0")


def _addresses() -> list[str]:
    with Netlink(netns_of(LAB, "machine", "m1")) as netlink:
        return [one for one in netlink.addresses("eth0") if not one.startswith("fe80")]


def _functions(layout: Layout) -> dict[str, str]:
    return {binding.machine: binding.function.name for binding in layout.bindings}


def edit(text: str) -> Layout:
    """Bring the lab to `text`, in exactly the steps that were planned."""
    planned = lab.plan(text).operations
    report = lab.up(text)
    assert report.operations == planned
    assert lab.drift(LAB).operations == ()
    return report.layout


def _without(text: str, machine: str) -> str:
    return "\n---".join(one for one in text.split("\n---") if f"name: {machine}\n" not in one)


def _drops() -> dict[str, int]:
    sight = look(lab.layout_of(LAB))
    return {f"{name} {key}": frames for name, node in sight.nodes.items() for key, frames in node.drops.items()}


def test_p4_a_lab_that_comes_up_and_grows_drops_nothing() -> None:
    edit(TEXT)
    edit(TEXT + SECOND)
    edit(OTHER_HOST + TEXT + SECOND)
    assert _drops() == {}


def test_p6_an_address_is_changed_and_changed_back() -> None:
    edit(TEXT)
    edit(TEXT.replace("10.0.10.1/24", "10.0.10.11/24"))
    assert _addresses() == ["10.0.10.11/24"]
    edit(TEXT)
    assert _addresses() == ["10.0.10.1/24"]


def test_p6_what_a_machine_adds_to_its_own_nic_stays_and_blocks_nothing() -> None:
    edit(TEXT)
    with Netlink(netns_of(LAB, "machine", "m1")) as netlink:
        netlink.add_address("eth0", "10.9.9.9/24")
    assert lab.plan(TEXT).operations == ()
    lab.up(TEXT.replace("10.0.10.2/24", "10.0.10.12/24"))
    assert sorted(_addresses()) == ["10.0.10.1/24", "10.9.9.9/24"]


def test_p6_taking_out_a_machine_leaves_the_others_their_functions() -> None:
    before = _functions(edit(TEXT + SECOND))
    device = _index("m2")
    without = _without(TEXT + SECOND, "m1")
    after = edit(without)
    assert _functions(after) == {machine: name for machine, name in before.items() if machine != "m1"}
    assert _index("m2") == device
    assert lab.layout_of(LAB) == after
    assert _functions(edit(TEXT + SECOND)) == before


def test_p6_a_machine_in_front_of_others_takes_what_is_free() -> None:
    before = _functions(edit(TEXT))
    device = _index("m1")
    after = _functions(edit(TEXT.replace("\n---\nkind: machine\nname: m1", SECOND + "---\nkind: machine\nname: m1")))
    assert {machine: name for machine, name in after.items() if machine != "m2"} == before
    assert _index("m1") == device


def test_p6_nics_change_their_functions_when_told() -> None:
    first = TEXT.replace("m1\nspec: {host: h1, nics: {eth0: {", "m1\nspec: {host: h1, nics: {eth0: {function: n1/0, ")
    first += SECOND.replace("eth0: {", "eth0: {function: n1/1, ").replace("own", "x")
    assert _functions(edit(first))["m1"] == "n1/0"
    swapped = first.replace("n1/0", "n1/x").replace("n1/1", "n1/0").replace("n1/x", "n1/1")
    layout = edit(swapped)
    assert {"m1": "n1/1", "m2": "n1/0"}.items() <= _functions(layout).items()
    assert _addresses() == ["10.0.10.1/24"]


def test_p6_an_adapter_changes_from_veth_to_tap_and_back() -> None:
    edit(TEXT + TAPS.replace("backing: tap", "backing: veth"))
    edit(TEXT + TAPS)
    edit(TEXT + TAPS.replace("backing: tap", "backing: veth"))


def test_p6_a_host_written_in_front_renumbers_nobody() -> None:
    before = edit(TEXT)
    device = _index("m1")
    after = edit(OTHER_HOST + TEXT)
    assert after.host("h1") == before.host("h1")
    assert _index("m1") == device
    assert edit(TEXT) == before


def test_p6_a_network_port_written_in_front_moves_no_pin() -> None:
    before = edit(TEXT)
    after = edit(TEXT.replace("ports: [up0]", "ports: [up1, up0]"))
    assert {one.name: one.pin for one in after.bindings} == {one.name: one.pin for one in before.bindings}
    assert [port.link for port in after.bridge("sw").ports] == [2, 1]


def test_p6_an_adapter_in_front_keeps_the_channels_of_the_others() -> None:
    before = edit(TEXT)
    after = edit(TEXT.replace("---\nkind: adapter", TAPS.lstrip("\n") + "---\nkind: adapter", 1))
    kept_functions = [one for one in after.host("h1").functions if one.adapter == "n1"]
    assert kept_functions == list(before.host("h1").functions)


def test_p6_a_machine_moves_to_another_host_and_back() -> None:
    edit(OTHER_HOST + TEXT)
    moved = (OTHER_HOST + TEXT).replace("m1\nspec: {host: h1", "m1\nspec: {host: h0")
    layout = edit(moved)
    assert _functions(layout)["m1"].startswith("n0/")
    assert _addresses() == ["10.0.10.1/24"]
    edit(OTHER_HOST + TEXT)


def _send(layout: Layout, sender: str, receiver: str, count: int) -> list[int]:
    """Frames between two machines; the numbers of those that arrive."""
    one, other = (next(nic for nic in layout.bindings if nic.machine == name) for name in (sender, receiver))
    here, there = nic_place(layout, one), nic_place(layout, other)
    with PacketSocket(here.device, netns=here.netns) as out, PacketSocket(there.device, netns=there.netns) as into:
        out.send_many([frame(other.mac, one.mac, number) for number in range(count)])
        capture = PacketCapture({"into": into})
        capture.collect(lambda seen: len(numbers(seen["into"])) >= count, 5.0)
        return numbers(capture.frames["into"])


def _port(machine: str) -> dict[str, object]:
    return next(row for row in port_rows(look(lab.layout_of(LAB))) if row["nic"] == f"{machine}/eth0")


def test_p4_a_machine_migrates_with_its_binding_and_what_its_port_has_counted() -> None:
    layout = edit(OTHER_HOST + TEXT)
    assert _send(layout, "m1", "m0", 50) == list(range(50))
    before, held = _port("m1"), next(one for one in layout.bindings if one.machine == "m1")
    raw = {name: sum(row.in_frames for row in node.counters.values()) for name, node in look(layout).nodes.items()}
    moved = lab.migrate(LAB, "m1", "h0").layout
    now = next(one for one in moved.bindings if one.machine == "m1")
    after = _port("m1")
    assert (now.uuid, now.mac, now.profile, now.addresses) == (held.uuid, held.mac, held.profile, held.addresses)
    assert (now.uplink.host, now.generation) == ("h0", 2)
    assert after["name"] != before["name"]
    assert int(str(after["in_frames"])) >= int(str(before["in_frames"])) >= 50
    assert _send(moved, "m1", "m0", 50) == list(range(50))
    assert int(str(_port("m1")["in_frames"])) >= int(str(before["in_frames"])) + 50
    bridge = netns_of(LAB, "bridge", "sw")
    sight = look(moved)
    shown = sum(int(str(row["in_frames"])) for row in port_rows(sight))
    assert shown == sum(row.in_frames for row in sight.nodes[bridge].counters.values()) >= raw[bridge]
    assert lab.drift(LAB).operations == ()
    assert lab.migrate(LAB, "m1", "h0").operations == ()


@pytest.mark.parametrize(("machine", "host", "code"), [("m1", "h9", "no-such-host"), ("m9", "h0", "no-such-machine")])
def test_p8_a_machine_that_cannot_move_stays(machine: str, host: str, code: str) -> None:
    before = edit(OTHER_HOST + TEXT)
    with pytest.raises(NotFoundError) as refused:
        lab.migrate(LAB, machine, host)
    assert refused.value.code == code
    assert lab.layout_of(LAB) == before


def test_p8_a_machine_that_finds_no_function_stays() -> None:
    before = edit(OTHER_HOST.replace("functions: 2", "functions: 1") + TEXT)
    with pytest.raises(DocumentError, match="no-free-function"):
        lab.migrate(LAB, "m1", "h0")
    assert lab.layout_of(LAB) == before
    assert lab.drift(LAB).operations == ()


def test_p6_an_uplink_gets_another_mtu_and_other_names() -> None:
    edit(TEXT)
    edit(TEXT.replace("device: up-a, bridge: sw", "device: up-a, bridge: sw, mtu: 4000"))
    edit(TEXT.replace("device: up-a", "device: eth9"))
    edit(TEXT)


def test_p6_nodes_and_ports_may_have_names_that_look_like_each_other_s() -> None:
    """A host named like a bridge with a port a; two ports whose far ends would have the same name."""
    text = TEXT.replace("ports: [up0]", "ports: [up0, a, a-up0]").replace(
        "{sw: ", "{h1: {ports: [b]}, sw-a: {ports: [up0]}, sw: "
    )
    edit(text)


def test_p6_a_host_that_was_to_go_is_put_back_with_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = edit(OTHER_HOST + TEXT)
    real, total = Workshop.perform, len(own_work(lab.plan(TEXT).operations))

    def perform(self: Workshop, operation: Operation) -> None:
        real(self, operation)
        done.append(operation)
        if len(done) == total:
            raise KernelError("no memory", 12)

    done: list[Operation] = []
    with monkeypatch.context() as patch:
        patch.setattr(Workshop, "perform", perform)
        with pytest.raises(KernelError, match="no memory"):
            lab.up(TEXT)
    assert lab.layout_of(LAB) == before
    assert lab.drift(LAB).operations == ()
    assert _send(before, "m1", "m0", 20) == list(range(20))


def test_p2_a_mark_that_a_machine_writes_on_a_device_of_its_own_is_not_believed() -> None:
    edit(TEXT)
    with Netlink(netns_of(LAB, "machine", "m1")) as netlink:
        netlink.add_veth("evil", "evil1", mtu=1500)
        netlink.set("evil", alias="openfex:function:n1/1")
    assert lab.drift(LAB).operations == ()


@pytest.mark.parametrize("text", ["", "{}", '{"given": {}}'])
def test_p6_down_needs_nothing_that_was_kept(text: str) -> None:
    edit(TEXT)
    (kept.folder(LAB) / "given.json").write_text(text)
    with pytest.raises(VerificationError) as refused:
        lab.up(TEXT)
    assert refused.value.code == "lab-incomplete"
    assert lab.down(LAB)
    assert residue(LAB) == []


def test_p6_one_command_changes_a_lab_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    edit(TEXT)
    monkeypatch.setattr(kept, "PATIENCE_S", 0.0)
    with kept.locked(LAB):
        for change in (lambda: lab.up(TEXT), lambda: lab.down(LAB)):
            with pytest.raises(RefusedError) as refused:
                change()
            assert refused.value.code == "lab-busy"
    assert lab.up(TEXT).operations == ()


@pytest.mark.parametrize("name", ["..", "", "test_edits", "Lab", "a/b"])
def test_p6_down_takes_no_name_that_is_no_lab_s(name: str) -> None:
    with pytest.raises(InputError) as refused:
        lab.down(name)
    assert refused.value.code == "bad-name"


@pytest.mark.parametrize("name", ["../x", "docs_t", "Lab", "a" * 41, "-a"])
def test_p9_a_name_that_could_escape_its_place_is_refused(name: str) -> None:
    with pytest.raises(DocumentError, match="cannot be a name"):
        lab.plan(TEXT.replace(f"name: {LAB}", f'name: "{name}"'))
