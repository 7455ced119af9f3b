# SPDX-License-Identifier: Apache-2.0
"""Hosts laid out: their uplinks, and the functions carved from their adapters.

An adapter keeps the channels of all functions its model could have, so that carving more of them renumbers nobody.
"""

from __future__ import annotations

from openfex.model.catalogue import CATALOGUE
from openfex.model.documents import AdapterSpec, HostSpec
from openfex.model.layout import Adapter, Function, Host, Purpose, Uplink
from openfex.model.limits import FIRST_UPLINK, MAX_LINKS, MAX_UPLINKS
from openfex.model.reader import Document, of_kind
from openfex.model.values import LAST_CHANNEL, ChannelKind
from openfex.plan.allotment import Span, allot, allot_spans
from openfex.plan.carving import check_carving
from openfex.plan.draft import Draft

HOST_LINK = {"a": 1, "b": 2}
"""The number of an uplink at its host, by fabric."""


def lay_hosts(draft: Draft) -> None:
    """All hosts with their uplinks."""
    documents = of_kind(draft.documents, "host")
    links: dict[str, int] = {}
    for bridge in draft.bridges:
        names = [f"{bridge}/{one.name}" for one in documents if bridge in _bridges(one)]
        links.update(allot(names, draft.held.uplinks, range(FIRST_UPLINK, MAX_LINKS)))
    for document in documents:
        _lay_host(draft, document, links)


def _bridges(document: Document) -> set[str]:
    assert isinstance(document.spec, HostSpec)
    return {uplink.bridge for uplink in document.spec.uplinks.values()}


def _lay_host(draft: Draft, document: Document, links: dict[str, int]) -> None:
    spec = document.spec
    assert isinstance(spec, HostSpec)
    if spec.channel not in {kind.value for kind in ChannelKind}:
        message = f"channel {spec.channel} is not built by this version"
        draft.refuse(document, "channel-not-supported", message, "use vntag or etag", "channel")
        return
    uplinks = tuple(_lay_uplinks(draft, document, spec, links))
    draft.hosts[document.name] = Host(document.name, ChannelKind(spec.channel), uplinks, ())


def _lay_uplinks(draft: Draft, document: Document, spec: HostSpec, links: dict[str, int]) -> list[Uplink]:
    uplinks = []
    for fabric, uplink in sorted(spec.uplinks.items()):
        bridge = draft.bridges.get(uplink.bridge)
        path = ("uplinks", fabric, "bridge")
        if bridge is None:
            remedy = f"the bridges are: {', '.join(draft.bridges) or 'none'}"
            draft.refuse(document, "unknown-bridge", f"there is no bridge {uplink.bridge}", remedy, *path)
            continue
        if bridge.fabric != fabric:
            message = f"bridge {bridge.name} is fabric {bridge.fabric}, the uplink is fabric {fabric}"
            draft.refuse(document, "wrong-fabric", message, "", *path)
        link = links.get(f"{bridge.name}/{document.name}")
        if link is None:
            message = f"bridge {bridge.name} has no room for another uplink, the most is {MAX_UPLINKS}"
            draft.refuse(document, "too-many-uplinks", message, "", *path)
            continue
        kind = ChannelKind(spec.channel)
        host_link = HOST_LINK[fabric]
        uplinks.append(Uplink(document.name, fabric, uplink.device, bridge.name, kind, uplink.mtu, host_link, link))
    return uplinks


def lay_adapters(draft: Draft) -> None:
    """All adapters with their functions."""
    documents = [one for one in of_kind(draft.documents, "adapter") if _can_be_carved(draft, one)]
    for host in draft.hosts:
        mine = {f"{host}/{one.name}": one for one in documents if _adapter(one).host == host}
        sizes = {name: CATALOGUE[_adapter(one).model].functions for name, one in mine.items()}
        held = {name: span for name, span in draft.held.adapters.items() if name in sizes}
        spans = allot_spans(sizes, held, LAST_CHANNEL)
        for name, document in mine.items():
            _lay_adapter(draft, document, spans.get(name))


def _adapter(document: Document) -> AdapterSpec:
    assert isinstance(document.spec, AdapterSpec)
    return document.spec


def _can_be_carved(draft: Draft, document: Document) -> bool:
    spec = _adapter(document)
    refusal = check_carving(spec.model, spec.functions, spec.storage)
    if refusal:
        draft.refuse(document, refusal.code, refusal.message, refusal.remedy, refusal.key)
    if spec.host not in draft.hosts:
        draft.refuse(document, "unknown-host", f"there is no host {spec.host}", "", "host")
    return refusal is None and spec.host in draft.hosts


def _lay_adapter(draft: Draft, document: Document, span: Span | None) -> None:
    spec = _adapter(document)
    host = draft.hosts[spec.host]
    if span is None:
        message = f"the adapters of host {host.name} need more than {LAST_CHANNEL} channels"
        draft.refuse(document, "too-many-channels", message, "put it into another host", "model")
        return
    purposes = [Purpose.NIC] * spec.functions + [Purpose.STORAGE] * spec.storage
    functions = tuple(
        Function(document.name, index, span.base + index + 1, purpose, span.slot)
        for index, purpose in enumerate(purposes)
    )
    adapter = Adapter(document.name, host.name, spec.model, spec.backing, functions, span.slot, span.base)
    draft.hosts[host.name] = Host(host.name, host.kind, host.uplinks, (*host.adapters, adapter))
