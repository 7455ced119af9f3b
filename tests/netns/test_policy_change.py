# SPDX-License-Identifier: Apache-2.0
"""A profile is changed by `lab up` while frames pass: each is judged by the one version or the other, and none is lost.

What takes something of each version (tests/versions.py) may never arrive. What both permit must all arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from openfex.lab import lab
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST
from openfex.proof.bed import Seen, numbers
from openfex.proof.kernel_bed import DEADLINE_S, nic_place
from tests.netns.labs import running
from tests.netns.policed import binding_of, documents
from tests.versions import KINDS, NEW, OLD, OPEN, SETTINGS, Setting, frames, is_permitted, text_of

pytestmark = [pytest.mark.root, pytest.mark.slow]
CHANGES = 40
BURST = 50
PAUSE_S = 0.001


def never(seen: Seen) -> bool:
    return False


def exchanged(layout: Layout, setting: Setting, action: Callable[[], None]) -> tuple[int, list[int]]:
    """Send while an action goes on; how many, and the numbers that arrived in order."""
    one, two = (binding_of(layout, name) for name in ("one", "two"))
    here, there = nic_place(layout, one), nic_place(layout, two)
    source = frames(BROADCAST if setting.flood else two.mac, one.mac)
    with (
        PacketSocket(here.device, netns=here.netns) as out,
        PacketSocket(there.device, netns=there.netns) as into,
        ThreadPoolExecutor(1) as pool,
    ):
        capture = PacketCapture({"into": into})
        done, sent = None, 0
        while done is None or not done.done():
            out.send_many(list(islice(source, BURST)))
            sent += BURST
            capture.collect(never, PAUSE_S)
            done = done or pool.submit(action)
        done.result()
        rest = len(KINDS) - sent % len(KINDS)
        out.send_many(list(islice(source, rest)))  # the last one is of both
        sent += rest
        capture.collect(lambda seen: sent - 1 in numbers(seen["into"][-BURST:]), DEADLINE_S)
        assert into.dropped == 0
    return sent, numbers(capture.frames["into"])


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_no_frame_meets_some_of_both_versions_and_none_is_lost(setting: Setting) -> None:
    def change_again_and_again() -> None:
        for number in range(CHANGES):
            lab.up(text_of(NEW if number % 2 == 0 else OLD, setting))

    with running(text_of(OLD, setting)) as layout:
        sent, arrived = exchanged(layout, setting, change_again_and_again)
    by_version = {version: {kind for kind in KINDS if is_permitted(kind, version, setting)} for version in (OLD, NEW)}
    mixed = [number for number in arrived if KINDS[number % len(KINDS)] not in by_version[OLD] | by_version[NEW]]
    always = by_version[OLD] & by_version[NEW]
    must = {number for number in range(sent) if KINDS[number % len(KINDS)] in always}
    assert mixed == []
    assert sorted(must - set(arrived)) == []
    assert arrived == sorted(set(arrived)), "each once, in order"
    seen = {KINDS[number % len(KINDS)] for number in arrived}
    assert seen & (by_version[OLD] - always), "the old one was there"
    assert seen & (by_version[NEW] - always), "and the new one"


JUDGING = {
    "rules": "acl: {out: [{permit: {protocol: udp}}]}",
    "rate": "rate: {out: {bits: 40Gbit, burst: 256MiB}}",
}


@pytest.mark.parametrize("judging", JUDGING.values(), ids=JUDGING)
@pytest.mark.parametrize("whose", ["receiver", "sender", "both"])
def test_no_flooded_frame_is_lost_or_doubled_when_ports_begin_and_cease_to_be_judged_alone(
    whose: str, judging: str
) -> None:
    """Its ports go from a list of their host's to copies of their own, and back; all that is sent is permitted."""

    def text(judges: bool) -> str:
        asked = f", {judging}" if judges else ""
        changing = f"kind: profile\nname: changing\nspec: {{vlan: {{trunk: {{allowed: '10,20,30'}}}}{asked}}}\n"
        profiles = {name: "changing" if whose in {name, "both"} else "open" for name in ("sender", "receiver")}
        machines = {"one": f"profile: {profiles['sender']}", "two": f"profile: {profiles['receiver']}"}
        return documents("test-change", f"{OPEN}---\n{changing}", machines, attachment="tc")

    def change_again_and_again() -> None:
        for number in range(CHANGES):
            lab.up(text(number % 2 == 0))

    flood = Setting("", "", {}, flood=True)
    with running(text(judges=False)) as layout:
        sent, arrived = exchanged(layout, flood, change_again_and_again)
    assert arrived == list(range(sent))
