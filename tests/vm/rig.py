# SPDX-License-Identifier: Apache-2.0
"""What the tests of emulated adapters share: a twin whose igb's wire is a TAP here, and frames on both ends of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openfex.linux.packet import PacketSocket
from openfex.machine.twin import Twin
from openfex.model.values import Mac
from openfex.wire.ethernet import Frame
from openfex.wire.vlan import VlanTag
from tests.vm.frames import OURS, READY, is_ours

ROOT = Path(__file__).resolve().parents[2]
NETNS, TAP = "fex-test-twin", "wire0"
BROADCAST = Mac.parse("ff:ff:ff:ff:ff:ff")
OUTSIDE, NOBODY = Mac.parse("02:00:00:00:00:ee"), Mac.parse("02:00:00:00:00:11")
DEADLINE_S = 15.0
_LAST = "last"

Heard = tuple[str, tuple[VlanTag, ...]]
"""A frame: its label, and the tags it had."""


@dataclass(frozen=True, slots=True)
class Rig:
    """The twin, and the MACs of the devices in it."""

    vm: Twin
    macs: Mapping[str, Mac]

    def sh(self, script: str, deadline_s: float = 60.0) -> str:
        """What a script prints; it must not fail."""
        return self.vm.run(["sh", "-ec", script], deadline_s, check=True).output

    def python(self, script: str) -> str:
        """What a script of the project's Python prints; it must not fail."""
        return self.vm.run([sys.executable, "-c", script], check=True).output

    def frame(self, label: str, src: str | Mac, dst: str | Mac, *tags: VlanTag) -> Frame:
        """From a device of the twin, or from an address, to one."""
        ends = [self.macs[one] if isinstance(one, str) else one for one in (dst, src)]
        return Frame(ends[0], ends[1], int.from_bytes(OURS, "big"), label.encode().ljust(46, b"\0"), tags)

    def outside(self, frames: Sequence[Frame], last: Mapping[str, Frame]) -> dict[str, list[Heard]]:
        """Send frames from outside; what devices hear of them, each until it has heard its last one."""
        return self._talk(list(last), [], [*frames, *last.values()])[0]

    def inside(
        self, frames: Sequence[tuple[str, Frame]], last: Mapping[str, Frame], wire_last: tuple[str, Frame]
    ) -> tuple[dict[str, list[Heard]], list[Heard]]:
        """Send frames from devices of the twin; what devices hear, and the wire, up to its last one."""
        return self._talk(list(last), [*frames, wire_last], list(last.values()))

    def _talk(
        self, listen: Sequence[str], send: Sequence[tuple[str, Frame]], outside: Sequence[Frame]
    ) -> tuple[dict[str, list[Heard]], list[Heard]]:
        asked = {
            "listen": listen,
            "send": [(name, one.encode().hex()) for name, one in send],
            "last": _LAST.encode().hex(),
        }
        said = bytearray()
        with PacketSocket(TAP, netns=NETNS) as wire:

            def write(octets: bytes) -> None:
                begun = READY.encode() in said
                said.extend(octets)
                if not begun and READY.encode() in said:
                    wire.send_many([one.encode() for one in outside])

            script = str(ROOT / "tests/vm/frames.py")
            done = self.vm.stream([sys.executable, script, json.dumps(asked)], write)
            assert done.status == 0, done.errors
            seen = self._wire(wire) if send else []
        found = json.loads(said.decode().removeprefix(READY))
        heard = {name: [told(bytes.fromhex(one)) for one in frames] for name, frames in found["heard"].items()}
        assert found["ended"], f"the last frame did not come: {heard}"
        return {name: _before_last(frames) for name, frames in heard.items()}, seen

    def _wire(self, wire: PacketSocket) -> list[Heard]:
        seen: list[Heard] = []
        while not any(label == _LAST for label, _ in seen):
            octets = wire.receive(DEADLINE_S)
            assert octets is not None, f"the last frame did not come to the wire: {seen}"
            if is_ours(octets):
                seen.append(told(octets))
        return _before_last(seen)


def told(octets: bytes) -> Heard:
    """A frame of ours as it is compared."""
    frame = Frame.decode(octets)
    return frame.payload.rstrip(b"\0").decode(), tuple(tag for tag in frame.tags if isinstance(tag, VlanTag))


def _before_last(frames: Sequence[Heard]) -> list[Heard]:
    return sorted((one for one in frames if one[0] != _LAST), key=str)
