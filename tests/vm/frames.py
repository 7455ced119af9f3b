# SPDX-License-Identifier: Apache-2.0
"""Runs in a twin: sends frames, and prints those of ours that arrive, until each listener has heard its last one.

One argument, JSON: `listen` names devices, `send` is a list of [device, octets as hex], `last` is hex that ends the
listening on a device when a frame holds it. The first line printed says that it listens: what is outside may send now.
Frames are ours by their EtherType, behind whatever C-tags.
"""

from __future__ import annotations

import json
import sys

from openfex.linux.packet import PacketCapture, PacketSocket

OURS = bytes.fromhex("88b5")
"""IEEE 802 Local Experimental 1."""
READY = "listening\n"


def is_ours(frame: bytes) -> bool:
    at = 12
    while frame[at : at + 2] in {b"\x81\x00", b"\x88\xa8"}:
        at += 4
    return frame[at : at + 2] == OURS


def main() -> None:
    asked = json.loads(sys.argv[1])
    sockets = {name: PacketSocket(name) for name in {*asked["listen"], *(name for name, _ in asked["send"])}}
    capture = PacketCapture({name: sockets[name] for name in asked["listen"]})
    sys.stdout.write(READY)
    sys.stdout.flush()
    for name, octets in asked["send"]:
        sockets[name].send(bytes.fromhex(octets))
    last = {name: bytes.fromhex(octets) for name, octets in asked["last"].items()}
    ended = capture.collect(
        lambda frames: all(any(last[name] in frame for frame in frames[name]) for name in last), asked["deadline_s"]
    )
    heard = {name: [one.hex() for one in frames if is_ours(one)] for name, frames in capture.frames.items()}
    sys.stdout.write(json.dumps({"ended": ended, "frames": heard}) + "\n")


if __name__ == "__main__":
    main()
