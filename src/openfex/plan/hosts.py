# SPDX-License-Identifier: Apache-2.0
"""Hosts laid out: their uplinks, and the functions carved from their adapters.

An adapter keeps the channels of all functions its model could have, so that carving more of them renumbers nobody.
"""

from __future__ import annotations

from dataclasses import replace

from openfex.model.catalogue import CATALOGUE
from openfex.model.documents import AdapterSpec, HostSpec, UplinkSpec
from openfex.model.layout import Adapter, Function, Host, Purpose, Uplink
from openfex.model.limits import FIRST_UPLINK, MAX_LINKS
from openfex.model.reader import of_spec
from openfex.model.values import DEFAULT_CHANNEL, ChannelKind
from openfex.plan.adapters import adapters_in
from openfex.plan.allotment import Span, allot, allot_spans
from openfex.plan.draft import Draft
from openfex.plan.shapes import shape_of

HOST_LINK = {"a": 1, "b": 2}
"""The number of an uplink at its host, by fabric."""


def lay_hosts(draft: Draft) -> None:
    """All hosts with their uplinks."""
    hosts = of_spec(draft.documents, HostSpec)
    links: dict[str, int] = {}
    for bridge in draft.bridges:
        names = [f"{bridge}/{one.name}" for one, spec in hosts if _ends_at(spec, bridge)]
        links.update(allot(names, draft.held.uplinks, range(FIRST_UPLINK, MAX_LINKS)))
    for document, spec in hosts:
        kind = ChannelKind(spec.channel)
        uplinks = tuple(
            replace(
                _lay_uplink(document.name, fabric, one, kind, links[f"{one.bridge}/{document.name}"]),
                foreign=draft.bridges[one.bridge].foreign,
            )
            for fabric, one in sorted(spec.uplinks.items())
        )
        draft.hosts[document.name] = Host(document.name, kind, uplinks, (), spec.remote, spec.agent)


def _lay_uplink(host: str, fabric: str, spec: UplinkSpec, kind: ChannelKind, link: int) -> Uplink:
    number, shape, port = HOST_LINK[fabric], shape_of(spec), spec.port or ""
    return Uplink(host, fabric, spec.device, spec.bridge, kind, spec.mtu, number, link, spec.attachment, shape, port)


def _ends_at(host: HostSpec, bridge: str) -> bool:
    return any(uplink.bridge == bridge for uplink in host.uplinks.values())


def lay_adapters(draft: Draft) -> None:
    """All adapters with their functions."""
    adapters = adapters_in(draft.documents)
    for host in draft.hosts:
        mine = {f"{host}/{one.name}": (one, spec) for one, spec in adapters if spec.host == host}
        sizes = {name: CATALOGUE[spec.model].functions for name, (_, spec) in mine.items()}
        held = {name: span for name, span in draft.held.adapters.items() if name in sizes}
        spans = allot_spans(sizes, held, draft.hosts[host].kind.channels)
        for name, (document, spec) in mine.items():
            if name in spans:
                _lay_adapter(draft, document.name, spec, spans[name])
            else:  # there are enough, but those of the other adapters lie between them
                message = f"the adapters of host {host} leave no {sizes[name]} channels side by side"
                remedy = "put it into another host, or take the host's other adapters out and in again"
                draft.problems.append(document.problem("too-many-channels", message, remedy, ("model",)))


def _lay_adapter(draft: Draft, name: str, spec: AdapterSpec, span: Span) -> None:
    host = draft.hosts[spec.host]
    first = host.kind.first_channel + span.base
    purposes = [Purpose.NIC] * spec.functions + [Purpose.STORAGE] * spec.storage
    functions = tuple(
        Function(name, index, first + index, purpose, span.slot) for index, purpose in enumerate(purposes)
    )
    if host.remote and host.kind.is_schannel and span.base == 0:
        functions = (Function(name, 0, DEFAULT_CHANNEL, Purpose.PF, span.slot), *functions)
    adapter = Adapter(name, host.name, spec.model, spec.backing, functions, span.slot, span.base)
    draft.hosts[host.name] = replace(host, adapters=(*host.adapters, adapter))
