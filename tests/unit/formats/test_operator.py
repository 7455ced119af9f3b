# SPDX-License-Identifier: Apache-2.0
"""sriov-network-operator's manifests (doc/api/node-policies-api.md, doc/basic-examples.md, api/v1/helper.go)."""

from __future__ import annotations

import pytest

from openfex.formats.operator import read_operator
from openfex.formats.report import Import
from openfex.model.functions import AdapterWish, FunctionDriver, LinkState, Selector, Settings, TagProtocol
from tests.unit.formats.samples import faults, notes, only, settings

HEAD = "apiVersion: sriovnetwork.openshift.io/v1\n"
POLICY_1 = f"""\
{HEAD}kind: SriovNetworkNodePolicy
metadata:
  name: policy-1
  namespace: sriov-network-operator
spec:
  deviceType: vfio-pci
  mtu: 1500
  nicSelector:
    deviceID: "1583"
    rootDevices:
    - 0000:86:00.0
    vendor: "8086"
  nodeSelector:
    feature.node.kubernetes.io/network-sriov.capable: "true"
  numVfs: 4
  priority: 90
  resourceName: intelnics
"""
DEVICE = FunctionDriver.DEVICE


def policy(name: str, selector: str, more: str = "numVfs: 8") -> str:
    """A policy of the resource `of-NAME`; the selector is in line 4."""
    spec = f"{{nicSelector: {selector},\n  resourceName: of-{name}, {more}}}"
    return f"{HEAD}kind: SriovNetworkNodePolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"


def network(resource: str, more: str) -> str:
    """A network; its keys are in line 4."""
    return f"{HEAD}kind: SriovNetwork\nmetadata: {{name: net}}\nspec: {{resourceName: {resource}, {more}}}\n---\n"


def by_name(found: Import) -> dict[str, AdapterWish]:
    return {wish.name: wish for wish in found.wishes}


def test_a_policy_is_a_document() -> None:
    found = read_operator(POLICY_1)
    wish = only(found)
    assert (wish.name, wish.functions, wish.numbers) == ("policy-1", 4, None)
    assert wish.pfs == (Selector(address="0000:86:00.0", vendor="8086", device="1583"),)
    assert settings(wish) == {(0, 3): Settings(driver=FunctionDriver.VFIO, purpose="intelnics")}
    assert notes(found) == [
        (5, "other-subject", "metadata.namespace"),
        (8, "not-here", "spec.mtu"),
        (14, "condition", "spec.nodeSelector"),
    ]


def test_every_key_of_a_network_is_carried_over_to_the_functions_of_its_resource() -> None:
    keys = 'vlan: 100, vlanQoS: 3, vlanProto: 802.1ad, spoofChk: "off", trust: "on", linkState: enable, '
    found = read_operator(
        policy("p", "{pfNames: [a]}") + network("of-p", keys + "minTxRate: 10, maxTxRate: 20, ipam: '{}'")
    )
    assert settings(only(found)) == {
        (0, 7): Settings(
            vlan=100,
            qos=3,
            protocol=TagProtocol.DOT1AD,
            spoof_check=False,
            trust=True,
            link=LinkState.UP,
            min_rate=10,
            max_rate=20,
            driver=DEVICE,
            purpose="of-p",
        )
    }
    assert [key for _, _, key in notes(found)] == ["spec.ipam"]


def test_networks_that_differ_are_about_functions_that_are_not_known() -> None:
    found = read_operator(
        policy("p", "{pfNames: [a]}")
        + network("of-p", "vlan: 100")
        + network("of-p", "vlan: 200")
        + network("x", "vlan: 1")
    )
    assert settings(only(found)) == {(0, 7): Settings(driver=DEVICE, purpose="of-p")}
    assert [code for _, code, _ in notes(found)] == ["several-networks", "several-networks", "which-function"]


def test_a_range_behind_a_name_is_the_functions_that_are_ours() -> None:
    found = read_operator(policy("g1", '{pfNames: ["eno1#0-3"]}') + policy("g2", '{pfNames: ["eno1#4-7"]}'))
    wishes = by_name(found)
    assert {name: (wish.numbers, wish.functions) for name, wish in wishes.items()} == {
        "g1": ((0, 3), 8),
        "g2": ((4, 7), 8),
    }
    assert settings(wishes["g2"]) == {(4, 7): Settings(driver=DEVICE, purpose="of-g2")}


def test_names_with_different_ranges_are_different_documents() -> None:
    found = read_operator(policy("p", '{pfName: ["eno1#0-3", "eno2#0-3", "eno3#4-7", eno4]}'))
    assert [(wish.name, [pf.name for pf in wish.pfs], wish.numbers) for wish in found.wishes] == [
        ("p", ["eno1", "eno2"], (0, 3)),
        ("p-2", ["eno3"], (4, 7)),
        ("p-3", ["eno4"], None),
    ]
    assert [code for _, code, _ in notes(found)] == ["taken-as-meant"]


def test_the_lower_number_is_the_higher_priority() -> None:
    texts = [
        policy("a", "{pfNames: [e]}", "numVfs: 8, priority: 5"),
        policy("b", "{pfNames: [e]}", "numVfs: 4, priority: 9"),
    ]
    for text in ("".join(texts), "".join(reversed(texts))):
        found = read_operator(text)
        assert (only(found).name, only(found).functions) == ("a", 8)
        assert [code for _, code, _ in notes(found)] == ["overridden"]


def test_of_one_priority_the_later_name_holds_with_the_larger_number() -> None:
    found = read_operator(policy("a", "{pfNames: [e]}") + policy("b", "{pfNames: [e]}", "numVfs: 4"))
    assert (only(found).name, only(found).functions) == ("b", 8)


def test_policies_of_other_functions_stay_with_the_larger_number() -> None:
    found = read_operator(
        policy("a", "{pfNames: [e]}", "numVfs: 4, priority: 9")
        + policy("b", '{pfNames: ["e#4-9"]}', "numVfs: 10, priority: 1")
    )
    wishes = by_name(found)
    assert {name: (wish.numbers, wish.functions) for name, wish in wishes.items()} == {
        "a": ((0, 3), 10),
        "b": ((4, 9), 10),
    }


def test_policies_that_may_be_about_one_pf_are_named() -> None:
    found = read_operator(
        policy("a", "{pfNames: [e]}") + policy("b", '{vendor: "8086"}') + policy("c", "{pfNames: [f]}")
    )
    assert [code for _, code, _ in notes(found)] == ["may-overlap", "may-overlap"]
    assert len(found.wishes) == 3


def test_functions_that_others_make_are_not_counted() -> None:
    assert only(read_operator(policy("p", "{pfNames: [e]}", "numVfs: 4, externallyManaged: true"))).functions is None


def test_a_policy_of_no_functions_does_nothing() -> None:
    found = read_operator(policy("p", "{pfNames: [e]}") + policy("q", "{pfNames: [e]}", "numVfs: 0, priority: 0"))
    assert (only(found).name, only(found).functions) == ("p", 8)
    assert [code for _, code, _ in notes(found)] == ["ignored-there"]


@pytest.mark.parametrize("selector", ['{netFilter: "openstack/NetworkID:x", pfNames: [e]}', "{}", "{pfNames: ['e*']}"])
def test_pfs_that_cannot_be_said_are_left_open(selector: str) -> None:
    found = read_operator(policy("p", selector))
    assert (only(found).pfs, only(found).functions) == ((), 8)
    assert "which-pf" in [code for _, code, _ in notes(found)]


def test_addresses_and_names_are_the_addresses() -> None:
    found = read_operator(policy("p", '{pfNames: ["e#0-1"], rootDevices: ["0000:86:00.0"]}'))
    assert (only(found).pfs, only(found).numbers) == ((Selector("0000:86:00.0"),), (0, 1))


def test_a_list_of_kubernetes_holds_objects() -> None:
    item = "".join(f"  {line}\n" for line in POLICY_1.splitlines())
    assert only(read_operator(f"apiVersion: v1\nkind: List\nitems:\n-{item[1:]}")).name == "policy-1"


def test_objects_of_others_are_named() -> None:
    found = read_operator(POLICY_1 + "---\napiVersion: v1\nkind: Pod\nspec: {}\n")
    assert (20, "other-subject", "Pod") in notes(found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (policy("p", '{pfNames: ["e#3"]}'), "bad-range"),
        (policy("p", '{pfNames: ["e#3-2"]}'), "bad-range"),
        (policy("p", '{pfNames: ["e#4-8"]}'), "bad-count"),
        (policy("p", "{rootDevices: [eno1]}"), "bad-pci-address"),
        (policy("p", "{vendor: intel}"), "bad-pci-id"),
        (policy("p", "{pfNames: {a: b}}"), "bad-value"),
        (policy("p", "{}", "numVfs: many"), "bad-value"),
        (policy("p", "{}", "priority: 100, numVfs: 1"), "bad-value"),
        (policy("p", "{}", "deviceType: vfio, numVfs: 1"), "bad-value"),
        (policy("p", "{}", "mtu: 1"), "missing-key"),
        (network("r", "vlanQoS: 8"), "bad-value"),
        (network("r", "trust: true"), "bad-value"),
        (network("r", "minTxRate: 2, maxTxRate: 1") + policy("p", "{}").replace("of-p", "r"), "bad-rate"),
        (f"{HEAD}kind: SriovNetwork\n", "missing-key"),
        (f"{HEAD}kind: SriovNetwork\nspec: {{vlan: 1}}\n", "missing-key"),
    ],
)
def test_what_the_operator_refuses(text: str, code: str) -> None:
    assert code in [found for _, found in faults(read_operator, text)]


def test_a_vendor_without_quotes_is_read_as_it_is_written() -> None:
    assert only(read_operator(policy("p", "{vendor: 8086}"))).pfs == (Selector(vendor="8086"),)


def test_what_else_an_object_says_is_named() -> None:
    found = read_operator(POLICY_1.replace("  nicSelector:", "  nicSelector:\n    colour: red") + "status: {}\n")
    others = {key for _, code, key in notes(found) if code == "other-subject"}
    assert others == {"metadata.namespace", "spec.nicSelector.colour", "status"}


def test_names_with_different_ranges_cannot_be_tied_to_addresses() -> None:
    found = read_operator(policy("p", '{pfNames: ["e#0-1", "f#2-3"], rootDevices: ["0000:86:00.0"]}'))
    assert only(found).pfs == ()
    assert "which-pf" in [code for _, code, _ in notes(found)]


def test_an_empty_condition_is_none() -> None:
    assert only(read_operator(policy("p", '{vendor: "", netFilter: "", pfNames: [e]}'))).pfs == (Selector(name="e"),)


def test_a_policy_without_a_resource_is_refused() -> None:
    assert faults(read_operator, policy("p", "{}").replace("resourceName: of-p, ", "")) == [(4, "missing-key")]


def test_too_many_combinations_are_refused() -> None:
    names, roots = [f"e{n}" for n in range(40)], [f"'0000:{n:02x}:00.0'" for n in range(40)]
    text = policy("p", f"{{pfNames: [{', '.join(names)}], rootDevices: [{', '.join(roots)}]}}")
    assert faults(read_operator, text) == [(4, "too-many-pfs")]


def test_of_one_name_with_two_ranges_the_first_holds() -> None:
    found = read_operator(policy("p", '{pfNames: ["e#0-1", "e#2-3"]}'))
    assert only(found).numbers == (0, 1)
    assert (4, "ignored-there", "spec.nicSelector.pfNames") in notes(found)
