# SPDX-License-Identifier: Apache-2.0
"""What is on the uplinks while the demo's proofs run, as tshark reads it: every frame tagged, with the ids we show."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openfex.lab.names import netns_of
from openfex.linux import netns
from openfex.model.values import ChannelKind
from openfex.proof.bed import Stage
from openfex.proof.claims import BOUND
from openfex.proof.kernel_bed import KernelBed
from openfex.proof.topology import LAB, documents
from tests.netns.labs import running

pytestmark = [pytest.mark.root, pytest.mark.interop]
NAME = "test-wire"
UPLINKS = {"uplink16": "h1", "uplink17": "h2"}
SIGNALLING = ("not", "ether", "proto", "0x88cc", "and", "not", "ether", "proto", "0x8940")
FIELDS = {
    ChannelKind.VNTAG: ("vntag.dir", "vntag.ptr", "vntag.src", "vntag.dst"),
    ChannelKind.ETAG: ("etag.group", "etag.ecid_base", "etag.iecid_base", "etag.ecid_ext"),
    ChannelKind.SCHANNEL: ("ieee8021ad.id",),
    ChannelKind.SCHANNEL_Q: ("vlan.id",),
    ChannelKind.VEPA: ("vlan.id",),
}


@contextmanager
def captured(space: str, device: str, file: Path) -> Iterator[None]:
    """All frames of a device but signalling, which is in no channel, both ways, into a file."""
    command = ["tcpdump", "--immediate-mode", "-U", "-i", device, "-w", str(file), *SIGNALLING]
    process = netns.spawn(space, command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while b"listening on" not in process.stderr.readline():
        assert process.poll() is None, "tcpdump did not start"
    yield
    process.send_signal(signal.SIGINT)
    process.wait(10)
    process.stderr.close()


def _decode(file: Path, kind: ChannelKind) -> list[tuple[int, ...]]:
    """By frame: direction or group, and ids; an empty field means that the frame has no such tag."""
    arguments = [argument for name in FIELDS[kind] for argument in ("-e", name)]
    command = ["tshark", "-r", str(file), "-T", "fields", "-E", "occurrence=f", *arguments]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines
    assert all(all(line.split("\t")) for line in lines), "a frame without a channel's tag"
    return [tuple(int(field, 0) for field in line.split("\t")) for line in lines]


def _shown(host: str) -> set[int]:
    """The channels of the host's vEths that are up, as `fex show ports` lists them."""
    command = [sys.executable, "-m", "openfex", "show", "ports", "--lab", NAME, "--json"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {row["channel"] for row in rows if row["host"] == host and row["state"] == "up"}


def _single_channels(frames: list[tuple[int, ...]], kind: ChannelKind) -> set[int]:
    """The channels that frames for or from one function name."""
    if kind.is_schannel or kind is ChannelKind.VEPA:
        return {vid for (vid,) in frames}
    if kind is ChannelKind.VNTAG:
        return {dst if down else src for down, listed, src, dst in frames if not listed}
    return {base for group, base, _, _ in frames if not group}


@pytest.mark.parametrize("kind", ChannelKind)
def test_every_frame_on_an_uplink_is_tagged_with_ids_that_show_ports_lists(kind: ChannelKind, tmp_path: Path) -> None:
    text = documents(kind).replace(f"name: {LAB}\n", f"name: {NAME}\n", 1)
    with running(text) as layout, KernelBed(layout) as bed:
        space = netns_of(NAME, "bridge", "sw-a")
        files = {device: tmp_path / f"{device}.pcap" for device in UPLINKS}
        one, other = (captured(space, device, file) for device, file in files.items())
        with one, other:
            stage = Stage(bed)
            for prove in BOUND.values():
                assert prove(stage).ok
        for device, host in UPLINKS.items():
            frames = _decode(files[device], kind)
            vlans = {one.profile.vlan for one in layout.bindings_on(host)}
            assert _single_channels(frames, kind) == (vlans if kind is ChannelKind.VEPA else _shown(host))
