# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: what they can hold, what a lab wants of them, and when they are started anew."""

from __future__ import annotations

from dataclasses import replace

from openfex.lab.guests import want_guests
from openfex.model.layout import Guest
from openfex.model.place import Place
from openfex.model.reader import read_documents
from openfex.model.values import Mac
from openfex.plan.allotment import allotment_of
from openfex.plan.difference import difference
from openfex.plan.layout import lay_out
from openfex.plan.objects import FunctionKey, FunctionSpec, GuestKey, GuestNic, GuestSpec, State
from tests.vm.labs import GUEST, LAB, NETWORK

HOST = f"fex_{LAB}_host_h1"
KEY = GuestKey(HOST, "vm1")
NIC = GuestNic("eth0", "f0p0", Mac.parse("52:54:00:00:00:01"), 1500)
SPEC = GuestSpec(192, 1, (NIC,))


def machine(keys: str) -> str:
    return f"{NETWORK}---\nkind: machine\nname: vm1\nspec: {{host: h1, {keys}}}\n"


def test_a_guest_is_given_taps() -> None:
    layout = lay_out(read_documents(NETWORK + GUEST))
    found = next(one for one in layout.machines if one.name == "vm1")
    assert found.guest == Guest(192, 1)
    assert [one.function.adapter for one in layout.bindings if one.machine == "vm1"] == ["taps", "taps"]


def test_keys_of_a_guest_are_taken_over() -> None:
    keys = "type: qemu, memory: 1GiB, cpus: 2, kernel: /boot/k, image: /boot/i, nics: {eth0: {profile: web, mtu: 1400}}"
    layout = lay_out(read_documents(machine(keys)))
    (spec,) = want_guests(layout).values()
    assert isinstance(spec, GuestSpec)
    assert (spec.memory_mib, spec.cpus, spec.kernel, spec.image) == (1024, 2, "/boot/k", "/boot/i")
    assert [(nic.name, nic.device, nic.mtu) for nic in spec.nics] == [("eth0", "f0p0", 1400)]


def test_nics_of_guests_may_have_one_name_on_one_host() -> None:
    layout = lay_out(read_documents(NETWORK + GUEST + GUEST.replace("vm1", "vm9").replace(".1/", ".9/")))
    assert list(want_guests(layout)) == [KEY, GuestKey(HOST, "vm9")]


def test_the_order_of_nics_in_a_file_starts_no_guest_anew() -> None:
    *head, first, second = GUEST.rstrip().splitlines()
    before = lay_out(read_documents(NETWORK + GUEST))
    after = lay_out(read_documents(NETWORK + "\n".join([*head, second, first])), allotment_of(before))
    assert [one.nic for one in before.bindings] != [one.nic for one in after.bindings]
    assert want_guests(after) == want_guests(before)


def test_a_guest_that_changes_is_ended_before_any_is_started() -> None:
    """Two that exchange their TAPs: each must have let go of its own."""
    other = replace(NIC, device="f0p1")
    key = GuestKey(HOST, "vm2")
    before: State = {KEY: SPEC, key: replace(SPEC, nics=(other,))}
    after: State = {KEY: replace(SPEC, nics=(other,)), key: SPEC}
    told = [str(one) for one in difference(after, before)]
    assert told == ["remove guest vm2", "remove guest vm1", "make guest vm1", "make guest vm2"]


def test_a_guest_whose_tap_goes_is_started_anew() -> None:
    function = FunctionKey(HOST, "taps/0")
    tap = FunctionSpec("f0p0", "tap", Place(HOST, "f0p0"), 1500)
    broken = replace(tap, place=Place("", ""))
    told = [str(one) for one in difference({KEY: SPEC, function: tap}, {KEY: SPEC, function: broken})]
    assert told == ["remove function taps/0", "make function taps/0", "make guest vm1"]
