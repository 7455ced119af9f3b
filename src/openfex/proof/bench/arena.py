# SPDX-License-Identifier: Apache-2.0
"""Where contests take place: what they have in common, and how all that they build is removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from openfex.lab import lab as labs
from openfex.lab.names import prefix_of
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.proof.bench.traffic import BURST


@dataclass(frozen=True)
class Terms:
    """On what terms a row is measured: under which name, beside whom, how many frames a flow sends in a row."""

    lab: str
    peers: Sequence[str] = ()
    burst: int = BURST


def clear(lab: str) -> None:
    """Remove everything of the bench, and wait until it is gone: the kernel would end name spaces meanwhile.

    Links go together and at once; what then is left of a name space costs nothing.
    """
    for space in netns.names(prefix_of(lab)):
        if netns.exists(space):
            with Netlink(space) as netlink:
                netlink.delete_many([link.name for link in netlink.links() if link.kind in ("veth", "macvlan")])
    labs.down(lab)


@contextmanager
def arena(lab: str) -> Iterator[ExitStack]:
    """What is opened on it is closed, and what is built is removed."""
    with ExitStack() as stack:
        stack.callback(clear, lab)
        yield stack
