# SPDX-License-Identifier: Apache-2.0
"""BPF filters as rtnetlink shows and takes them: the octets of `clsact` and of `bpf` classifiers (linux/pkt_cls.h).

A filter carries a number, TCA_BPF_CLASSID, which the kernel puts into `skb->tc_classid` before it runs the program
(net/sched/cls_bpf.c). So one program, attached many times, knows where it is attached without a look-up. The filter
keeps 32 bits and shows them all, but the program sees **only the low 16** (`u16 tc_classid` in struct
qdisc_skb_cb): a larger number is refused here, since it would arrive as another one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from openfex.errors import InputError
from openfex.linux.rtnetlink import Answer, attributes, nested, number, string, text, u32

RTM_NEWQDISC = 36
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46
LAST_CLASSID = 0xFFFF
LAST_PRIORITY = 0xFFFF
LABEL_ROOM = 255

_CLSACT = 0xFFFFFFF1
_INGRESS = 0xFFFFFFF2
_CLSACT_HANDLE = 0xFFFF0000
_HANDLE = 1
_TCA_KIND, _TCA_OPTIONS = 1, 2
_BPF_CLASSID, _BPF_FD, _BPF_NAME, _BPF_FLAGS, _BPF_ID = 3, 6, 7, 8, 11
_ACT_DIRECT = 1
_ALL_PROTOCOLS = struct.unpack("=H", struct.pack("!H", 3))[0]
_TCMSG = struct.Struct("=BxxxiIII")


@dataclass(frozen=True, slots=True)
class Filter:
    """A BPF program at a link's clsact ingress."""

    label: str
    program_id: int
    classid: int
    priority: int


def clsact(index: int) -> bytes:
    """The message that gives a link its place for filters."""
    return _TCMSG.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0) + text(_TCA_KIND, "clsact")


def bpf_filter(index: int, program_fd: int, label: str, classid: int, priority: int) -> bytes:
    """The message that attaches a program. Raises InputError for numbers that would not arrive as they are."""
    if not 0 <= classid <= LAST_CLASSID:
        message = f"classid {classid} does not fit the 16 bits that a program sees of it"
        raise InputError(message, code="bad-classid", remedy="number attachments from 0 to 65535")
    if len(label.encode()) > LABEL_ROOM:
        raise InputError(f"a filter's label has at most {LABEL_ROOM} octets", code="bad-label")
    options = nested(
        _TCA_OPTIONS,
        u32(_BPF_FD, program_fd),
        text(_BPF_NAME, label),
        u32(_BPF_FLAGS, _ACT_DIRECT),
        u32(_BPF_CLASSID, classid),
    )
    return named(index, priority) + text(_TCA_KIND, "bpf") + options


def named(index: int, priority: int) -> bytes:
    """The message that only names a filter of ours, to delete it."""
    if not 0 < priority <= LAST_PRIORITY:
        raise InputError(f"a filter's priority is 1 to {LAST_PRIORITY}, not {priority}", code="bad-priority")
    return _TCMSG.pack(0, index, _HANDLE, _INGRESS, priority << 16 | _ALL_PROTOCOLS)


def at_ingress(index: int) -> bytes:
    """The message that asks for all filters at a link's ingress."""
    return _TCMSG.pack(0, index, 0, _INGRESS, 0)


def read_filter(answer: Answer) -> Filter | None:
    """The filter in an RTM_NEWTFILTER; None for other kinds, and for the head before a priority's filters."""
    _, _, handle, _, info = _TCMSG.unpack_from(answer.body)
    found = attributes(answer.body, _TCMSG.size)
    if handle == 0 or string(found.get(_TCA_KIND, b"")) != "bpf":
        return None
    options = attributes(found.get(_TCA_OPTIONS, b""))
    return Filter(
        label=string(options.get(_BPF_NAME, b"")),
        program_id=number(options.get(_BPF_ID, b"")),
        classid=number(options.get(_BPF_CLASSID, b"")),
        priority=info >> 16,
    )
