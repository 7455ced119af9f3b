# SPDX-License-Identifier: Apache-2.0
"""sriov-network-operator's SriovNetworkNodePolicy and SriovNetwork, in.

A policy is a document here, or several if its PFs have different ranges. Policies about the same functions of the same
PF are settled as the operator does it (operator_claims.py). What a SriovNetwork says of functions is what they get when
they are given out; it is carried over where one network alone is about the functions of a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openfex.formats.functions import possible
from openfex.formats.operator_claims import Claim, Policy, find_overlaps, settle
from openfex.formats.operator_keys import NETWORK, OTHER, POLICY
from openfex.formats.operator_pfs import read_claims
from openfex.formats.ranges import flat, make_settings
from openfex.formats.report import Import, Key, Report, Said
from openfex.formats.selection import distinct, slug
from openfex.formats.tree import Part, read_parts
from openfex.formats.values import LAST_FUNCTION, Value, number, protocol, truth
from openfex.model.functions import AdapterWish, FunctionDriver, LinkState, Settings
from openfex.model.wording import choose

GROUP = "sriovnetwork.openshift.io/"
"""Of the operator's `apiVersion`."""
LOWEST_PRIORITY = 99
_SPECS: Mapping[str, Mapping[str, Key]] = {
    "SriovNetworkNodePolicy": {one.theirs: one for one in POLICY},
    "SriovNetwork": {one.theirs: one for one in NETWORK},
}
_DRIVERS = {"netdevice": FunctionDriver.DEVICE, "vfio-pci": FunctionDriver.VFIO}
_LINK = {"auto": LinkState.AUTO, "enable": LinkState.UP, "disable": LinkState.DOWN}


def _switch(value: object) -> bool | None:
    return truth(value) if value in ("on", "off") else None


_VALUES: Mapping[str, tuple[str, Callable[[object], Value | None], str]] = {
    "vlan": ("vlan", lambda value: number(value, 4096), "a whole number from 0 to 4096"),
    "vlanQoS": ("qos", lambda value: number(value, 7), "a whole number from 0 to 7"),
    "vlanProto": ("protocol", protocol, "802.1q or 802.1ad"),
    "spoofChk": ("spoof_check", _switch, "on or off"),
    "trust": ("trust", _switch, "on or off"),
    "linkState": ("link", lambda value: _LINK.get(str(value)), "auto, enable or disable"),
    "minTxRate": ("min_rate", number, "a whole number from 0"),
    "maxTxRate": ("max_rate", number, "a whole number from 0"),
}
"""The setting that a key of a network is, how it is read, and what it takes."""


@dataclass
class _Cluster:
    """What was found: policies in their order, and networks by their resource."""

    report: Report
    policies: list[Policy] = field(default_factory=list)
    networks: dict[str, list[dict[str, tuple[Value, Said]]]] = field(default_factory=dict)


def read_operator(text: str, file: str = "") -> Import:
    """What manifests of the operator ask for. Raises DocumentError."""
    cluster = _Cluster(Report(file, "sriov-network-operator"))
    for document in read_parts(text, cluster.report):
        _take_object(cluster, document)
    report = cluster.report
    settle(report, cluster.policies)
    find_overlaps(report, cluster.policies)
    _note_networks(cluster)
    wishes = [wish for policy in cluster.policies for wish in _wishes(cluster, policy)]
    return report.finish(distinct(wishes))


def _take_object(cluster: _Cluster, part: Part) -> None:
    report = cluster.report
    kind, version = part.get("kind"), part.get("apiVersion")
    named = str(kind.value) if kind else ""
    if items := part.get("items"):
        for item in items.parts(report):
            _take_object(cluster, item)
        return
    if version is None or not str(version.value).startswith(GROUP) or named not in _SPECS:
        report.note(OTHER.code, Said(part.key or named or "document", part.said.value, part.said.line), OTHER.why)
        return
    _note_object(report, part)
    spec = part.get("spec")
    if spec is None:
        report.fault("missing-key", part.said, f"the {named} has no spec", "write one")
    elif named == "SriovNetwork":
        _take_network(cluster, spec)
    else:
        metadata = part.get("metadata", "name")
        _take_policy(cluster, spec, metadata.text(report) if metadata else "")


def _note_object(report: Report, part: Part) -> None:
    for key, inner in part.items(report):
        if key == "metadata":
            for of_metadata, one in inner.items(report):
                if of_metadata != "name":
                    report.note(OTHER.code, one.said, OTHER.why)
        elif key not in ("apiVersion", "kind", "spec"):
            report.note(OTHER.code, inner.said, OTHER.why)


def _note_spec(report: Report, spec: Part, kind: str) -> None:
    for key, inner in spec.items(report):
        known = _SPECS[kind].get(key, OTHER)
        if known.code and key != "nicSelector":
            report.note(known.code, inner.said, known.why)


def _take_policy(cluster: _Cluster, spec: Part, name: str) -> None:
    report = cluster.report
    _note_spec(report, spec, "SriovNetworkNodePolicy")
    count = _number(report, spec, "numVfs", LAST_FUNCTION + 1)
    priority = _number(report, spec, "priority", LOWEST_PRIORITY) if spec.get("priority") else 0
    resource, kind = spec.get("resourceName"), spec.get("deviceType")
    driver = _DRIVERS.get(str(kind.value)) if kind else FunctionDriver.DEVICE
    if kind and driver is None:
        kind.fault(report, "is none of the device types", choose(str(kind.value), _DRIVERS, "device types"))
    if resource is None:
        report.fault("missing-key", spec.said, "has no resourceName", "write one")
    external, selector = spec.get("externallyManaged"), spec.get("nicSelector")
    policy = Policy(
        name,
        (selector or spec).said,
        resource.text(report) if resource else "",
        priority,
        count,
        {"driver": driver or FunctionDriver.DEVICE},
        external=bool(external and truth(external.value)),
    )
    if count == 0:
        report.note("ignored-there", spec.said, "the operator does nothing for a policy of no functions")
        return
    read_claims(report, spec, policy)
    cluster.policies.append(policy)


def _number(report: Report, spec: Part, key: str, most: int) -> int:
    part = spec.get(key)
    found = number(part.value, most) if part else None
    if part is None:
        report.fault("missing-key", spec.said, f"has no {key}", f"write {key} and a whole number")
    elif found is None:
        part.fault(report, f"is not a whole number from 0 to {most}")
    return 1 if found is None else found


def _take_network(cluster: _Cluster, spec: Part) -> None:
    report = cluster.report
    _note_spec(report, spec, "SriovNetwork")
    settings: dict[str, tuple[Value, Said]] = {}
    for key, (setting, read, form) in _VALUES.items():
        if part := spec.get(key):
            value = read(part.value)
            if value is None:
                part.fault(report, f"is not {form}")
            else:
                settings[setting] = value, part.said
    resource = spec.get("resourceName")
    if resource is None:
        report.fault("missing-key", spec.said, "has no resourceName", "write that of a policy")
    else:
        cluster.networks.setdefault(resource.text(report), []).append(settings)


def _note_networks(cluster: _Cluster) -> None:
    """Name what networks lose, and check once what the others say."""
    resources = {policy.resource for policy in cluster.policies}
    for resource, networks in cluster.networks.items():
        if resource not in resources:
            code, why = "which-function", f"no policy of the file makes functions of the resource {resource}"
        elif len(networks) > 1:
            code, why = "several-networks", f"{len(networks)} networks are about the functions of {resource}"
        else:
            found = possible(cluster.report, networks[0])
            for policy in cluster.policies:
                if policy.resource == resource:
                    policy.settings.update(found)
            continue
        for settings in networks:
            for _, said in settings.values():
                cluster.report.note(code, said, why)


def _wishes(cluster: _Cluster, policy: Policy) -> list[AdapterWish]:
    """The documents of a policy: one for each range of functions and number of them."""
    report = cluster.report
    purpose = possible(report, {"purpose": (policy.resource, policy.said)}) if policy.resource else {}
    settings = make_settings({**policy.settings, **purpose})
    if policy.lost:
        claim = Claim(policy, 0, policy.count - 1, policy.count)
        return [_wish(claim, [], settings)]
    groups: dict[tuple[int, int, int, bool], list[Claim]] = {}
    for claim in policy.claims:
        groups.setdefault((claim.first, claim.last, claim.count, claim.whole), []).append(claim)
    return [_wish(claims[0], claims, settings) for claims in groups.values()]


def _wish(claim: Claim, claims: list[Claim], settings: Settings) -> AdapterWish:
    policy = claim.policy
    return AdapterWish(
        slug(policy.name, policy.resource),
        tuple(one.pf for one in claims),
        None if policy.external else claim.count,
        numbers=None if claim.whole else (claim.first, claim.last),
        settings=flat([(claim.first, claim.last, settings)]),
    )
