# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of a document: what an editor takes, and what it marks."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from openfex.model.documents import EXAMPLES
from openfex.model.faults import check_spec
from openfex.model.schema import document_schema

VALIDATOR = Draft202012Validator(document_schema())


def document(kind: str, **changes: object) -> dict[str, object]:
    name, spec = EXAMPLES[kind]
    return {"kind": kind, "name": name, "spec": {**spec, **changes}}


def is_valid(given: object) -> bool:
    return not list(VALIDATOR.iter_errors(given))


NIC: dict[str, Any] = {"profile": "web"}
GOOD: list[dict[str, object]] = [
    *map(document, EXAMPLES),
    document("network", bridges={"sw": {}, "sw-b": {"fabric": "b", "ports": {"up0": {}, "up1": {"profile": "wan"}}}}),
    document("network", wires=[["a/b", "c/d"]], bridges={"a": {"ageing": "5m"}}),
    *(
        document("profile", vlan={"trunk": {"allowed": allowed, "native": 10}})
        for allowed in (10, "10,20-30", "10, 20", [10, "20-30"], "all")
    ),
    document("profile", acl={"in": [{"permit": {}}, {"deny": {"protocol": "tcp", "port": "80,443"}, "name": "web"}]}),
    document("profile", acl={"in": [], "out": [{"permit": {"ethertype": ["arp", "0x88cc"], "vlan": "10,20-29"}}]}),
    document("profile", acl={"in": [{"deny": {"tcp": ["+syn-ack", "rst"], "protocol": 6, "source-port": [1, "2-3"]}}]}),
    document(
        "profile", acl={"in": [{"deny": {"source": ["10.0.0.0/8", "::/0"], "source-mac": "52:54:00:00:00:00/24"}}]}
    ),
    document(
        "profile", rate={"in": "1Gbit", "out": {"bits": "64kbit", "burst": "64KiB", "burst-frames": 1, "frames": 9}}
    ),
    document("profile", source={"macs": ["52:54:00:AA:00:01"], "learn": 2, "guard": True}),
    document("profile", priority={"trust": "none", "pcp": 7, "dscp": "ef"}),
    document("adapter", model=82599, backing="tap", driver="soft", storage=1),
    document("machine", nics={"eth0": {**NIC, "address": ["10.0.0.1/24", "fd00::1/64"], "mac": "52:54:00:AA:00:01"}}),
    document(
        "machine", type="host", nics={"eth0": {**NIC, "function": "n/0", "pin": "up0", "fabric": "b", "mtu": 9000}}
    ),
]
BAD: list[object] = [
    [],
    {},
    {"kind": "host"},
    {**document("host"), "more": 1},
    {**document("host"), "kind": "hots"},
    {**document("host"), "name": "H1"},
    {**document("host"), "spec": []},
    document("host", channel="vn-tag"),
    document("host", uplinks={}),
    document("host", uplinks={"c": {"device": "up", "bridge": "sw"}}),
    document("host", uplinks={"a": {"device": "up"}}),
    document("host", uplinks={"a": {"device": "up a", "bridge": "sw", "mtu": 60}}),
    document("network", bridges={"SW": {}}),
    document("network", bridges={"sw": {"ports": ["up0", "up0"]}}),
    document("network", bridges={"sw": {"ageing": 300}}),
    document("network", wires=[["a/b"]]),
    document("profile", vlan={}),
    document("profile", vlan={"access": 10, "trunk": {"allowed": 10}}),
    document("profile", vlan={"access": 0}),
    document("profile", vlan={"trunk": {"allowed": []}}),
    document("profile", vlan={"trunk": {"native": 10}}),
    document("profile", acl={"in": {}}),
    document("profile", acl={"in": [{}]}),
    document("profile", acl={"in": [{"permit": {}, "deny": {}}]}),
    document("profile", acl={"in": [{"permit": {"source": []}}]}),
    document("profile", acl={"in": [{"permit": {"source_port": 80}}]}),
    document("profile", acl={"in": [{"permit": {"tcp": "syn-"}}]}),
    document("profile", acl={"in_": []}),
    document("profile", rate={"in": "1Gb"}),
    document("profile", rate={"in": {}}),
    document("profile", priority={"dscp": "af44"}),
    document("adapter", model="vic-1290"),
    document("adapter", functions=-1),
    document("machine", nics={}),
    document("machine", nics={"eth0": {}}),
    document("machine", nics={"eth0": {**NIC, "mac": "01:00:5e:00:00:01"}}),
    document("machine", nics={"eth0": {**NIC, "function": "n"}}),
    document("machine", nics={"eth0": {**NIC, "trust": True}}),
]


@pytest.mark.parametrize("given", GOOD, ids=str)
def test_what_is_good_is_taken(given: dict[str, Any]) -> None:
    assert is_valid(given)
    assert not isinstance(check_spec(given["kind"], given["spec"]), list)


@pytest.mark.parametrize("given", BAD, ids=str)
def test_what_is_bad_is_marked(given: object) -> None:
    assert not is_valid(given)


def test_every_key_is_described_for_the_editor() -> None:
    for definition in document_schema()["$defs"].values():
        assert definition["description"]
        assert all(one["description"] and one["examples"] for one in definition["properties"].values())
