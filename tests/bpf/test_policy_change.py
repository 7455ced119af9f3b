# SPDX-License-Identifier: Apache-2.0
"""Between any two writes of a change, and however fast versions change, a frame is judged by one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import pytest

from openfex.datapath.abi import PROFILE, U32
from openfex.linux.libbpf import Map
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import port_number
from openfex.plan.layout import lay_out
from openfex.proof.cpus import available, on_cpu
from openfex.rules.compiler import compile_bridge
from openfex.rules.decision import Decision, outcome
from openfex.rules.engine import up_tag
from openfex.rules.tables import BridgeTables
from openfex.testing.kernel import KernelEngine
from openfex.testing.reference import ReferenceBridge
from tests.netns.policed import binding_of
from tests.versions import KINDS, NEW, OLD, SETTINGS, Setting, frames, is_permitted, text_of

pytestmark = pytest.mark.root
UNICAST = {name: setting for name, setting in SETTINGS.items() if not setting.flood and setting.attachment == "tc"}
REPEAT = 40_000
Decisions = tuple[Decision, ...]


@pytest.fixture(scope="module", params=["tc", "xdp"])
def bridge(request: pytest.FixtureRequest) -> Iterator[KernelEngine]:
    with KernelEngine("bridge", request.param) as engine:
        yield engine


def layout_of(version: str, setting: Setting) -> Layout:
    return lay_out(read_documents(text_of(version, setting)))


def tables_of(version: str, setting: Setting) -> BridgeTables:
    return compile_bridge(layout_of(version, setting), "sw")


def sent(setting: Setting) -> tuple[int, list[bytes]]:
    """A frame of each kind as it comes to the bridge, and at which port."""
    one, two = (binding_of(layout_of(OLD, setting), name) for name in ("one", "two"))
    tag = up_tag(one.uplink.kind, one.function.channel, 0)
    octets = islice(frames(two.mac, one.mac), len(KINDS))
    return port_number(one.uplink.bridge_link), [frame[:12] + tag + frame[12:] for frame in octets]


def expected(version: str, setting: Setting) -> Decisions:
    """What the specification says of them."""
    at, octets = sent(setting)
    reference = ReferenceBridge(tables=tables_of(version, setting))
    return tuple(outcome(reference.decide(at, frame, 0)) for frame in octets)


def watch(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Look behind each write, those of a batch one by one."""
    put, delete = Map.put, Map.delete

    def watched_put(self: Map, key: bytes, value: bytes) -> None:
        put(self, key, value)
        look()

    def watched_delete(self: Map, key: bytes) -> bool:
        found = delete(self, key)
        look()
        return found

    def one_by_one(self: Map, entries: list[tuple[bytes, bytes]]) -> None:
        for key, value in entries:
            self.put(key, value)

    monkeypatch.setattr(Map, "put", watched_put)
    monkeypatch.setattr(Map, "delete", watched_delete)
    monkeypatch.setattr(Map, "put_many", one_by_one)


@pytest.mark.parametrize("setting", UNICAST.values(), ids=UNICAST)
def test_behind_each_write_all_is_as_it_was_or_all_is_new(
    bridge: KernelEngine, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, octets = sent(setting)
    old, new = expected(OLD, setting), expected(NEW, setting)
    bridge.write(tables_of(OLD, setting))
    seen: list[Decisions] = []

    def look() -> None:
        found = tuple(bridge.decide(at, frame) for frame in octets)
        if not seen or found != seen[-1]:
            seen.append(found)

    look()
    with monkeypatch.context() as patch:
        watch(patch, look)
        bridge.change(tables_of(NEW, setting))
        bridge.change(tables_of(OLD, setting))
    assert seen == [old, new, old]


def flip(bridge: KernelEngine, number: int, done: threading.Event) -> None:
    """Make one version of a profile current and then the other, as fast as can be."""
    table, key = bridge.map("profiles"), U32.pack(number)
    _, *versions = PROFILE.unpack(table.get(key) or bytes(PROFILE.size))
    rows = [PROFILE.pack(current, *versions) for current in (0, 1)]
    with on_cpu(available()[-1]):
        while not done.is_set():
            for row in rows:
                table.put(key, row)


def race(bridge: KernelEngine, setting: Setting) -> Mapping[tuple[str, ...], int]:
    """How many frames of each kind get through that neither version lets through, while both take turns."""
    at, octets = sent(setting)
    layout = layout_of(OLD, setting)
    number = next(one.number for one in layout.profiles if one.name == "changing")
    veth = binding_of(layout, "one").bridge_port
    done = threading.Event()
    flipper = threading.Thread(target=flip, args=(bridge, number, done))
    through = {}
    flipper.start()
    try:
        for kind, frame in zip(KINDS, octets, strict=True):
            if not any(is_permitted(kind, version, setting) for version in (OLD, NEW)):
                before = bridge.counters().get(veth), bridge.drops().total()
                with on_cpu(available()[0]):
                    bridge.repeat(at, frame, REPEAT)
                came = bridge.counters()[veth].in_frames - (before[0].in_frames if before[0] else 0)
                assert came == REPEAT
                through[kind] = came - (bridge.drops().total() - before[1])
    finally:
        done.set()
        flipper.join()
    return {kind: frames for kind, frames in through.items() if frames}


@pytest.mark.slow
@pytest.mark.parametrize("setting", UNICAST.values(), ids=UNICAST)
def test_however_fast_versions_change_no_frame_meets_both(bridge: KernelEngine, setting: Setting) -> None:
    bridge.write(tables_of(OLD, setting))
    bridge.change(tables_of(NEW, setting))
    assert race(bridge, setting) == {}
