# SPDX-License-Identifier: Apache-2.0
"""Labs for tests: named `test-…`, so that the next run sweeps what a killed one left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from openfex.lab.lab import down, up
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind
from openfex.plan.difference import Operation
from openfex.plan.objects import TablesKey

PATHS = """
kind: network
name: test-paths
spec: {{bridges: {{sw: {{ports: {{up0: {{profile: wan}}, up1: {{}}}}}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: all
spec: {{vlan: {{trunk: {{allowed: "10,20-30", native: 10}}}}}}
---
kind: profile
name: strict
spec: {{vlan: {{trunk: {{allowed: [20, 30]}}}}}}
---
kind: profile
name: wan
spec: {{vlan: {{trunk: {{allowed: all, native: 20}}}}}}
---
kind: host
name: h1
spec: {{channel: {one}, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: host
name: h2
spec: {{channel: {other}, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 6}}
---
kind: adapter
name: n2
spec: {{host: h2, model: bcm-8, functions: 6}}
---
kind: machine
name: a1
spec: {{host: h1, nics: {{eth0: {{profile: web, pin: up0, address: [10.0.10.1/24, "fd00::1/64"]}}}}}}
---
kind: machine
name: a2
spec: {{host: h1, nics: {{eth0: {{profile: web, pin: up1, address: [10.0.10.2/24, "fd00::2/64"]}}}}}}
---
kind: machine
name: a3
spec: {{host: h2, nics: {{eth0: {{profile: web, pin: up0, address: [10.0.10.3/24, "fd00::3/64"]}}}}}}
---
kind: machine
name: t1
spec: {{host: h1, nics: {{eth0: {{profile: all, pin: up0}}}}}}
---
kind: machine
name: t2
spec: {{host: h2, nics: {{eth0: {{profile: all, pin: up0}}}}}}
---
kind: machine
name: s1
spec: {{host: h2, nics: {{eth0: {{profile: strict, pin: up1}}}}}}
"""
"""Two hosts, access and trunk vEths on both, a network port with a native VLAN and one without."""


UPLINK = "bridge: sw}"
"""How the documents of an uplink end in these labs."""


def attached(text: str, *attachments: str) -> str:
    """The documents with their uplinks, one after the other, attached so."""
    first, *others = text.split(UPLINK)
    assert len(others) == len(attachments)
    ends = (f"bridge: sw, attachment: {attachment}}}" for attachment in attachments)
    return first + "".join(end + other for end, other in zip(ends, others, strict=True))


THIRD = """---
kind: host
name: h3
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n3
spec: {host: h3, model: bcm-8, functions: 6}
"""
"""By VEPA NICs of one host and VLAN have one network port: those that are pinned to another are on this one."""


def _with_third(text: str) -> str:
    for name, host in (("a2", "h1"), ("s1", "h2")):
        before, here, behind = text.partition(f"name: {name}\n")
        text = before + here + behind.replace(f"host: {host}", "host: h3", 1)
    return text + THIRD


def paths(one: ChannelKind, other: ChannelKind, attachments: tuple[str, str] = ("auto", "auto")) -> str:
    """The documents of the lab of paths, each host with its kind of channel and its attachment."""
    text = attached(PATHS.format(one=one.value, other=other.value), *attachments)
    return _with_third(text) if ChannelKind.VEPA in {one, other} else text


def own_work(operations: Iterable[Operation]) -> list[Operation]:
    """What `up` does itself of a plan: the tables of nodes are written by agents."""
    return [one for one in operations if not isinstance(one.key, TablesKey)]


@contextmanager
def running(text: str) -> Iterator[Layout]:
    """A lab that is up in the block and gone after it."""
    layout = up(text).layout
    try:
        yield layout
    finally:
        down(layout.lab)
