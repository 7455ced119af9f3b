# SPDX-License-Identifier: Apache-2.0
"""Queues of a link's way out, as rtnetlink shows and takes them: an HTB qdisc and its classes (linux/pkt_sched.h).

HTB puts a frame into the class that `skb->priority` names, qdisc and class in one number, without a filter. A class has
a rate that is its own; what others leave it borrows from its parent, up to the parent's rate.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from openfex.linux.rtnetlink import Answer, attribute, attributes, nested, number, string, text

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_NEWTCLASS, RTM_GETTCLASS = 40, 42
HTB = "htb"
HANDLE = 1 << 16
"""Of the qdisc: `1:`. Classes have numbers above 0 in the 16 bits below it."""

_ROOT = 0xFFFFFFFF
_MINOR = 0xFFFF
_KIND, _OPTIONS, _STATS2, _STATS_QUEUE = 1, 2, 7, 3
_PARAMETERS, _INIT, _RATE64, _CEILING64 = 1, 2, 6, 7
_VERSION = 3
_R2Q = 10
"""Not used where a class has a quantum of its own, but not 0."""
_ETHERNET = 1
_TICK_NS = 64
_BURST_NS = 1_000_000
_LEAST_BURST = 1 << 16
_QUANTUM = 60_000
"""How much a class sends before it is another one's turn: about a super-frame."""
_TCMSG = struct.Struct("=BxxxiIII")
_GLOBAL = struct.Struct("=5I")
_RATE_SPEC = struct.Struct("=BBHhHI")
_CLASS = struct.Struct(f"={_RATE_SPEC.size}s{_RATE_SPEC.size}s5I")
_QUEUE = struct.Struct("=5I")


@dataclass(frozen=True, slots=True)
class QueueClass:
    """A class: its number, its parent's (0: the qdisc), and octets a second that are its own, and at most."""

    number: int
    parent: int
    rate: int
    most: int


def root(index: int) -> bytes:
    """The message that names a link's qdisc."""
    return _TCMSG.pack(0, index, 0, _ROOT, 0)


def htb(index: int, default: int) -> bytes:
    """The message that makes a link's qdisc; frames that name no class go into the `default` one."""
    options = nested(_OPTIONS, attribute(_INIT, _GLOBAL.pack(_VERSION, _R2Q, default, 0, 0)))
    return _TCMSG.pack(0, index, HANDLE, _ROOT, 0) + text(_KIND, HTB) + options


def htb_class(index: int, one: QueueClass) -> bytes:
    """The message that makes a class."""
    bursts = (_burst(one.rate), _burst(one.most))
    parameters = _CLASS.pack(_rate_spec(one.rate), _rate_spec(one.most), *bursts, _QUANTUM, 0, 0)
    rates = attribute(_RATE64, struct.pack("=Q", one.rate)) + attribute(_CEILING64, struct.pack("=Q", one.most))
    fixed = _TCMSG.pack(0, index, HANDLE | one.number, HANDLE | one.parent, 0)
    return fixed + text(_KIND, HTB) + nested(_OPTIONS, attribute(_PARAMETERS, parameters), rates)


def _rate_spec(rate: int) -> bytes:
    return _RATE_SPEC.pack(0, _ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF))


def _burst(rate: int) -> int:
    """In the kernel's ticks: what a class may send at once after a silence."""
    return max(_BURST_NS, _LEAST_BURST * 10**9 // rate) // _TICK_NS


def all_queues() -> bytes:
    """The message that asks for the qdiscs of all links: the kernel does not choose."""
    return _TCMSG.pack(0, 0, 0, 0, 0)


def classes_of(index: int) -> bytes:
    """The message that asks for a link's classes."""
    return _TCMSG.pack(0, index, 0, 0, 0)


def read_class(answer: Answer) -> QueueClass | None:
    """The class in an RTM_NEWTCLASS; None for one that is not ours."""
    _, _, handle, parent, _ = _TCMSG.unpack_from(answer.body)
    found = attributes(answer.body, _TCMSG.size)
    if string(found.get(_KIND, b"")) != HTB or handle & ~_MINOR != HANDLE:
        return None
    options = attributes(found.get(_OPTIONS, b""))
    rate, most, *_ = _CLASS.unpack_from(options[_PARAMETERS])
    own = number(options.get(_RATE64, rate[-4:]))
    top = number(options.get(_CEILING64, most[-4:]))
    return QueueClass(handle & _MINOR, 0 if parent == _ROOT else parent & _MINOR, own, top)


def read_drops(answer: Answer) -> tuple[int, int]:
    """The link of an RTM_NEWQDISC, and how many frames were dropped on its way out: none of what filters drop."""
    _, index, _, parent, _ = _TCMSG.unpack_from(answer.body)
    statistics = attributes(attributes(answer.body, _TCMSG.size).get(_STATS2, b""))
    if parent != _ROOT or _STATS_QUEUE not in statistics:
        return index, 0
    return index, int(_QUEUE.unpack_from(statistics[_STATS_QUEUE])[2])
