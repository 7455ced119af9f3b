# SPDX-License-Identifier: Apache-2.0
"""`fex trace-frame`: what the programs would do with a frame, step by step, without a frame."""

from __future__ import annotations

import re
import sys
from typing import Annotated

from cyclopts import Parameter

from openfex.cli.arguments import STANDARD_INPUT, Flag, Json, Lab
from openfex.cli.failure import Misuse
from openfex.cli.paper import print_json
from openfex.errors import InputError

COMMAND = "fex trace-frame"
EXAMPLES = """\
Examples:

  fex trace-frame vm1/eth0 vm2/eth0 tcp 443   may vm1 open a connection?
  fex trace-frame vm1/eth0 10.0.10.3          a ping
  fex trace-frame vm1/eth0                    a broadcast: an ARP announcement
  fex trace-frame sw-a/up0 vm1/eth0 udp 53    from the network
  fex trace-frame vm1/eth0 vm2/eth0 --from 10.9.9.9
  fex trace-frame sw-a/veth1.1 --hex ffffffffffff5254000000010806...

Nothing is sent, counted, learnt or paid for. A drop is an answer, too:
the exit status is 0."""

From = Annotated[
    str, Parameter(help="Where it comes in: MACHINE/NIC, or a port as `show ports` names it: sw-a/up0, sw-a/veth1.5.")
]
Words = Annotated[
    str,
    Parameter(
        help="[TO] [PROTOCOL [PORT]]: to a NIC, an IP address or a MAC, or to all; tcp, udp, icmp, arp, a number or"
        " an EtherType like 0x88b5; a port, or an ICMP type."
    ),
]
To = Annotated[str, Parameter(help="The same as TO.", show_default=False)]
ToMac = Annotated[str, Parameter(name="--to-mac", help="The destination's MAC.", show_default=False)]
Sender = Annotated[str, Parameter(name="--from", help="From another NIC's or IP address.", show_default=False)]
SenderMac = Annotated[str, Parameter(name="--from-mac", help="From another MAC.", show_default=False)]
Vlan = Annotated[str, Parameter(help="A VLAN tag of this id; `none` for no tag.", show_default=False)]
SourcePort = Annotated[int, Parameter(name="--source-port", help="The source port.")]
Flags = Annotated[str, Parameter(name="--tcp-flags", help="TCP's flags, like syn or syn,ack.")]
Size = Annotated[int, Parameter(help="So many octets, from the MACs to the end.", show_default=False)]
Ipv6 = Annotated[Flag, Parameter(name=["--ipv6", "-6"], help="IPv6 where both have either.")]
Hex = Annotated[
    str | None,
    Parameter(name="--hex", allow_leading_hyphen=True, help="These octets instead; `-` reads standard input."),
]


def trace_frame(  # noqa: PLR0913 -- options, all of them by name
    port: From,
    /,
    *words: Words,
    to: To = "",
    to_mac: ToMac = "",
    sender: Sender = "",
    sender_mac: SenderMac = "",
    vlan: Vlan = "",
    source_port: SourcePort = 50_000,
    flags: Flags = "syn",
    size: Size = 0,
    ipv6: Ipv6 = False,
    hex_: Hex = None,
    lab: Lab = None,
    json: Json = False,
) -> None:
    """Say what would become of a frame, hop by hop, and by which rule.

    The kernel's programs decide, over the tables as they are now; nothing is
    changed. What is not said of the frame is what the NIC would send.
    """
    from openfex.lab.lab import layout_of, the_lab
    from openfex.lab.payload import Wish
    from openfex.lab.points import entry_of
    from openfex.lab.probe import make_frame
    from openfex.lab.trace import trace
    from openfex.lab.view.frame_words import octets_row
    from openfex.lab.view.trace import trace_lines, trace_view

    receiver, protocol, number = _split(words, to)
    wish = Wish(receiver, protocol, number, sender, sender_mac, to_mac, vlan, source_port, flags, size, ipv6)
    if hex_ is not None and wish != Wish():
        raise Misuse("--hex says all of the frame: it goes with no other word of it", COMMAND)
    layout = layout_of(the_lab(lab))
    point = entry_of(layout, port)
    octets = make_frame(layout, point, wish) if hex_ is None else _read_hex(hex_)
    view = trace_view(layout, octets_row(octets), trace(layout, point, octets))
    if json:
        print_json(view)
        return
    print(f"frame: {octets_row(octets)['says']}")
    print(*trace_lines(view), sep="\n")


def _split(words: tuple[str, ...], to: str) -> tuple[str, str, str]:
    """TO is known by what no protocol has in it."""
    rest = list(words)
    if rest and re.search(r"[/:.]", rest[0]):
        if to:
            raise Misuse(f"{rest[0]} and --to {to} are both where it goes", COMMAND)
        to = rest.pop(0)
    if len(rest) > 2:
        raise Misuse(f"{' '.join(rest)} is more than a protocol and a port", COMMAND)
    protocol, number, *_ = (*rest, "", "")
    return to, protocol.lower(), number.lower()


def _read_hex(text: str) -> bytes:
    said = sys.stdin.read() if text == STANDARD_INPUT else text
    try:
        return bytes.fromhex(re.sub(r"[\s:.-]|0x", "", said))
    except ValueError as cause:
        message = "the octets are not hexadecimal digits, two each"
        raise InputError(message, code="bad-hex", remedy="write for example ffffffffffff5254000000010806") from cause
