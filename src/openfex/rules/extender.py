# SPDX-License-Identifier: Apache-2.0
"""The port extender's decision; the specification of bpf/lib/extender.h.

It never switches. What a function sends goes up in the function's own channel; what comes down goes to the channel's
function, or to the members of a list but never back to the source (VN-Tag: wire.md 1.5; E-Tag: 2.4 rules 1, 6, 7, 10).
How functions are told apart without a channel's tag is vepa.py's.
"""

from __future__ import annotations

from openfex.model.drops import DropReason
from openfex.model.values import DEFAULT_CHANNEL, LAST_CHANNEL, ChannelKind, port_channel, port_link, port_number
from openfex.rules.decision import Decision, Verdict, drop
from openfex.rules.head import Head, is_control, judge_head
from openfex.rules.schannel import begins_with_channel, is_in_default
from openfex.rules.tables import ExtenderTables
from openfex.rules.vepa import decide_down_by_mac, tag_up


def decide_up(head: Head, port: int, tables: ExtenderTables) -> Decision:
    """A frame from the function at `port`."""
    reason, link = tables.judge_function(port), port_link(port)
    if not reason and not head.whole:
        reason = DropReason.TRUNCATED
    if not reason and head.kind is not None:
        reason = DropReason.FORGED_TAG
    if not reason:
        reason = judge_head(head)
    if not reason and port_channel(port) == DEFAULT_CHANNEL and begins_with_channel(head, tables.links.get(link)):
        reason = DropReason.FORGED_TAG
    if reason:
        return drop(port, reason)
    d = Decision(Verdict.UP, port, out=port_number(link), source=port_channel(port))
    return tag_up(head, d, tables) if tables.functions[port].vepa else d


def _decide_list(head: Head, link: int, tables: ExtenderTables) -> Decision:
    port = port_number(link)
    if (link, head.target) not in tables.lists:
        return drop(port, DropReason.UNKNOWN_LIST)
    source = head.source if head.kind is ChannelKind.ETAG or head.looped else 0
    return Decision(Verdict.REPLICATE, port, list_id=head.target, source=source)


def decide_down(head: Head, link: int, tables: ExtenderTables) -> Decision:
    """A frame from the uplink `link`."""
    uplink = port_number(link)
    if not head.whole:
        return drop(uplink, DropReason.TRUNCATED)
    kind = tables.links.get(link)
    if is_control(head):
        return Decision(Verdict.CONTROL, uplink)
    if kind is ChannelKind.VEPA:
        return decide_down_by_mac(head, link, tables)
    return _decide_down_in_channel(head, link, kind, tables)


def _decide_down_in_channel(head: Head, link: int, kind: ChannelKind | None, tables: ExtenderTables) -> Decision:
    """The same where channels have tags."""
    uplink = port_number(link)
    is_default = is_in_default(head, kind)
    if kind is None or (head.kind is not kind and not is_default):
        return drop(uplink, DropReason.NOT_IN_CHANNEL)
    if head.bad:
        return drop(uplink, DropReason.BAD_TAG)
    if head.kind is ChannelKind.VNTAG and not head.down:
        return drop(uplink, DropReason.WRONG_DIRECTION)
    if head.list:
        return _decide_list(head, link, tables)
    channel = DEFAULT_CHANNEL if is_default else head.target
    if not 1 <= channel <= LAST_CHANNEL:
        return drop(uplink, DropReason.UNKNOWN_CHANNEL)
    port = port_number(link, channel)
    reason = tables.judge_function(port)
    if reason:
        return drop(uplink, reason)
    if head.looped and head.source == head.target:
        return drop(uplink, DropReason.SOURCE_PRUNED)
    return Decision(Verdict.DELIVER, uplink, out=port)
