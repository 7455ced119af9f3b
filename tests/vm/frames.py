# SPDX-License-Identifier: Apache-2.0
"""Runs in a twin: sends frames, and prints those of ours that arrive, until each listener has heard its last one.

One argument, JSON: `listen` names devices, `send` is a list of [device, octets as hex], `last` is hex that ends the
listening on a device when a frame holds it. The first line printed says that all is sent and that it listens: what is
outside may send now. Frames are ours by their EtherType, behind whatever VLAN tags.
"""

from __future__ import annotations

import json
import sys

from openfex.linux.packet import PacketCapture, PacketSocket

OURS = bytes.fromhex("88b5")
"""IEEE 802 Local Experimental 1."""
READY = "listening\n"
DEADLINE_S = 15.0
_TAGS = {bytes.fromhex("8100"), bytes.fromhex("88a8")}


def is_ours(frame: bytes) -> bool:
    at = 12
    while frame[at : at + 2] in _TAGS:
        at += 4
    return frame[at : at + 2] == OURS


def main() -> None:
    asked = json.loads(sys.argv[1])
    names = {*asked["listen"], *(name for name, _ in asked["send"])}
    # Not promiscuous: that changes which frames an adapter gives to which of its functions.
    sockets = {name: PacketSocket(name, promiscuous=False) for name in names}
    capture = PacketCapture({name: sockets[name] for name in asked["listen"]})
    for name, octets in asked["send"]:
        sockets[name].send(bytes.fromhex(octets))
    sys.stdout.write(READY)
    sys.stdout.flush()
    last = bytes.fromhex(asked["last"])
    ended = capture.collect(lambda heard: all(any(last in one for one in heard[name]) for name in heard), DEADLINE_S)
    heard = {name: [one.hex() for one in frames if is_ours(one)] for name, frames in capture.frames.items()}
    sys.stdout.write(json.dumps({"ended": ended, "heard": heard}) + "\n")


if __name__ == "__main__":
    main()
