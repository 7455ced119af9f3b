# SPDX-License-Identifier: Apache-2.0
"""The adapters of a network's hosts: those that a lab emulates, and real ones of `remote` hosts, which are told alike.

Of a real one (`driver: sriov`) a bridge wants to know how many functions it has; the rest is for the host itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.documents import AdapterSpec, HostSpec
from openfex.model.reader import Document, Reading, of_spec
from openfex.model.real import SriovSpec
from openfex.model.spec import key_of
from openfex.plan.wishes import place_of

MODEL = "sriov"
AGREED = ("mac", "mac_pool", "vlan", "qos", "protocol", "link")
"""Settings of functions that host and bridge agree on, or that a NIC has."""


def adapters_in(reading: Reading) -> list[tuple[Document, AdapterSpec]]:
    """All of them, in the order they were written."""
    real = {id(document): spec for document, spec in real_adapters(reading)}
    found: list[tuple[Document, AdapterSpec]] = []
    for document in reading:
        if isinstance(document.spec, AdapterSpec):
            found.append((document, document.spec))
        elif spec := real.get(id(document)):
            told = {"host": spec.host, "model": MODEL, "functions": spec.functions or 0}
            found.append((document, AdapterSpec.model_validate(told)))
    return found


def real_adapters(reading: Reading) -> list[tuple[Document, SriovSpec]]:
    """The real ones of real hosts."""
    remote = {document.name for document, host in of_spec(reading, HostSpec) if host.remote}
    return [(document, spec) for document, spec in of_spec(reading, SriovSpec) if spec.host in remote]


def check_real(document: Document, spec: SriovSpec, host: HostSpec) -> Iterator[Problem]:
    """What cannot be said of a real adapter in a network's documents."""
    device = next(iter(host.uplinks.values())).device
    if any(pf.address and pf.address[1] not in ("", device) for pf in spec.pfs):
        message = f"the cable of its host is at {device}"
        yield document.problem("remote-needs-one", message, "name the same device here and as `uplinks`", ("pfs",))
    if spec.functions is None:
        message = "nothing says how many functions it has, and each is a port of the bridge"
        yield document.problem("functions-not-said", message, "write `functions: 4`, say")
    if len(spec.pfs) > 1 or any(pf.address and pf.address[2] for pf in spec.pfs):
        message = "it is one adapter with all its functions, whose cable is the host's uplink"
        yield document.problem("remote-needs-one", message, "name one PF; write a host for each", ("pfs",))
    for by, settings in enumerate(spec.settings.values()):
        for field in AGREED:
            if field in settings.model_fields_set:
                message = "host and bridge agree on it, or the function's NIC says it"
                yield document.problem("agreed-with-bridge", message, "take it out", place_of(spec, by, key_of(field)))
