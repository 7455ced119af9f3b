# SPDX-License-Identifier: Apache-2.0
"""`fex bridge`: a bridge whose cables end at devices of this machine, and a host's agent at the end of one of them."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openfex.cli.app import run
from openfex.datapath.tables import read_drops, read_live, read_rows
from openfex.errors import KernelError
from openfex.lab import kept, lab
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, Mac, port_channel
from openfex.proof.bed import frame, numbers
from openfex.rules.engine import up_tag
from openfex.rules.tables import BridgeTables
from tests.netns.daemons import Daemon, running
from tests.netns.policed import binding_of, counts_of, wait_until

pytestmark = pytest.mark.root
ROOT = Path(__file__).resolve().parents[2]
BRIDGE, CABLE, ADAPTER, PORT, NETWORK = "fex-t-sw", "fex-t-cable", "fex-t-wire", "fex-t-port", "fex-t-net"
DEADLINE_S = 30.0
FRAMES = 600
THIRD = 4
"""The S-channel of the third function: the first has 2."""
HELD_S = 4.0
"""Longer than a bridge holds a VSI with the keep-alive time below."""
TEXT = """
kind: network
name: test-real
spec:
  bridges: {fex-t-sw: {ports: {up0: {device: fex-t-port}}}, elsewhere: {fabric: b, ports: {up0: {device: fex-t-port}}}}
  signalling: {keep-alive: 1s, retransmission: 20ms}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: host
name: h1
spec: {channel: schannel, remote: true, uplinks: {a: {device: eno1, bridge: fex-t-sw, mtu: 1600, port: fex-t-cable}}}
---
kind: adapter
name: nic0
spec: {host: h1, model: "82576", functions: 3}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web}}}
---
kind: machine
name: vm2
spec: {host: h1, nics: {eth0: {profile: web}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture(autouse=True)
def cables() -> Iterator[None]:
    with Netlink() as here:
        lab.down(BRIDGE)
        for one, other in ((CABLE, ADAPTER), (PORT, NETWORK)):
            if other in {link.name for link in here.links()}:
                here.delete(other)
            here.add_veth(one, other, mtu=1600)
            sysctl(None, f"net/ipv6/conf/{other}/disable_ipv6", 1)
            here.set(other, up=True)
        yield
        lab.down(BRIDGE)
        for one in (ADAPTER, NETWORK):
            here.delete(one)


def least() -> list[str]:
    """The rights that its service has, and no others."""
    unit = (ROOT / "packaging/openfex-bridge.service").read_text()
    [line] = [line for line in unit.splitlines() if line.startswith("CapabilityBoundingSet=")]
    names = ",".join(f"+{one.removeprefix('CAP_').lower()}" for one in line.partition("=")[2].split())
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{names}"]


@contextmanager
def bridge(file: Path, folder: Path) -> Iterator[Daemon]:
    with running(folder, "openfex", "bridge", str(file), "--name", BRIDGE, least=least()) as daemon:
        daemon.told("READY=1")
        yield daemon


@contextmanager
def station(file: Path, folder: Path) -> Iterator[Daemon]:
    folder.mkdir(exist_ok=True)
    with running(folder, "tests.netns.station", str(file), "h1", ADAPTER) as daemon:
        yield daemon


def states() -> dict[str, object]:
    """By NIC, what its vEth is."""
    return {str(row["nic"]): row["state"] for row in port_rows(look(lab.layout_of(BRIDGE))) if row["nic"]}


UP = {"vm1/eth0": "up", "vm2/eth0": "up"}


def test_ports_come_up_when_the_host_asks_for_them_and_frames_go(file: Path, tmp_path: Path) -> None:
    with bridge(file, tmp_path) as daemon, station(file, tmp_path / "h1") as host:
        host.until("associated", 2)
        daemon.until("associate", 2)
        wait_until(lambda: states() == UP, "both are up")
        layout = lab.layout_of(BRIDGE)
        one, two = (binding_of(layout, name) for name in ("vm1", "vm2"))
        with PacketSocket(ADAPTER) as wire, PacketSocket(NETWORK) as network, counts_of(layout) as counts:
            octets = frame(two.mac, one.mac, 7)
            wire.send(octets[:12] + up_tag(ChannelKind.SCHANNEL, one.function.channel, 0) + octets[12:])
            wanted = octets[:12] + up_tag(ChannelKind.SCHANNEL, two.function.channel, 0) + octets[12:]
            wait_until(lambda: wanted in wire.drain(), "it comes back in the channel of vm2")
            flood = octets[14:]
            wire.send(
                b"\xff" * 6
                + octets[6:12]
                + up_tag(ChannelKind.SCHANNEL, one.function.channel, 0)
                + octets[12:14]
                + flood
            )
            wait_until(
                lambda: any(flood in found for found in network.drain()), "a broadcast leaves by the network port"
            )
            wire.send(octets[:12] + up_tag(ChannelKind.SCHANNEL, 900, 0) + octets[12:])
            assert counts is not None
            wait_until(lambda: dropped(DropReason.UNKNOWN_CHANNEL) > 0, "a channel that nobody has is counted")


def dropped(reason: DropReason) -> int:
    """How many frames were dropped for a reason, at whichever port."""
    with Workshop(BRIDGE) as workshop:
        drops = read_drops(workshop.node(netns_of(BRIDGE, "bridge", BRIDGE)))
    return sum(count for (_, why), count in drops.items() if why is reason)


def test_it_lends_devices_and_a_take_down_gives_them_back(file: Path, tmp_path: Path) -> None:
    with Netlink() as here:
        before = [here.link(name) for name in (CABLE, PORT)]
        with bridge(file, tmp_path) as daemon:
            assert not {CABLE, PORT} & {link.name for link in here.links()}
            found = lab.drift(BRIDGE)
            assert (found.operations, found.absent) == ((), ()), "who watches it is a service manager"
            assert daemon.end() == 0
            assert "STOPPING=1" in daemon.told("STOPPING=1")
        assert not {CABLE, PORT} & {link.name for link in here.links()}, "ending changes nothing"
        assert run(["bridge", str(file), "--name", BRIDGE, "--down"]) == 0
        assert [here.link(name) for name in (CABLE, PORT)] == before
    assert kept.read(BRIDGE) is None
    assert run(["bridge", str(file), "--name", BRIDGE, "--down"]) == 0, "twice is once"


def has_taken(wire: PacketSocket, octets: bytes) -> bool:
    """Whether a device has taken a frame; it does not where the queue that all devices of a CPU share is full."""
    try:
        wire.send(octets)
    except KernelError as error:
        if error.errno != errno.ENOBUFS:
            raise
        return False
    return True


def test_p5_it_is_killed_and_the_next_adopts(file: Path, tmp_path: Path) -> None:
    node = netns_of(BRIDGE, "bridge", BRIDGE)
    with bridge(file, tmp_path) as daemon, station(file, tmp_path / "h1") as host:
        host.until("associated", 2)
        wait_until(lambda: states() == UP, "both are up")
        layout = lab.layout_of(BRIDGE)
        one, two = (binding_of(layout, name) for name in ("vm1", "vm2"))
        with Workshop(BRIDGE) as workshop, PacketSocket(ADAPTER) as wire:
            before = read_rows(workshop.node(node))
            came: list[int] = []

            def send(number: int) -> None:
                """One at a time: a full queue would lose what no bridge has seen."""
                octets = frame(two.mac, one.mac, number)
                tagged = octets[:12] + up_tag(ChannelKind.SCHANNEL, one.function.channel, 0) + octets[12:]
                wait_until(lambda: has_taken(wire, tagged), f"frame {number} is taken")
                hear(number)

            def hear(last: int) -> None:
                def is_there() -> bool:
                    came.extend(numbers([found for found in wire.drain() if found[:6] == two.mac.octets]))
                    return last in came[-1:]

                wait_until(is_there, f"frame {last} arrives")

            for number in range(FRAMES // 2):
                send(number)
            daemon.end(signal.SIGKILL)
            with bridge(file, tmp_path) as again:
                again.until("neighbour")
                end = time.monotonic() + HELD_S
                for number in range(FRAMES // 2, FRAMES):
                    time.sleep(max(end - time.monotonic(), 0) / (FRAMES - number))
                    send(number)
                assert read_rows(workshop.node(node)) == before
                assert "expired" not in {line["event"] for line in again.lines.queue}
            assert came == list(range(FRAMES))


def test_sighup_reads_again_and_a_bad_document_is_told_and_changes_nothing(file: Path, tmp_path: Path) -> None:
    with bridge(file, tmp_path) as daemon, station(file, tmp_path / "h1") as host:
        host.until("associated", 2)
        wait_until(lambda: states() == UP, "both are up")
        file.write_text(TEXT.replace("access: 10", "access: many"))
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.until("not-read")[-1]["code"]
        assert "RELOADING=1" in daemon.told("READY=1")
        assert states() == UP
        file.write_text(TEXT.replace("device: fex-t-port}}}, else", "device: fex-t-none}}}, else"))
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.until("not-read")[-1]["code"] == "no-such-device"
        daemon.told("READY=1")
        assert lab.drift(BRIDGE).operations == (), "it is undone"
        file.write_text(TEXT.replace("access: 10", "access: 11"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.told("READY=1")
        wait_until(lambda: vlans() == {11}, "the profile is another one")
        assert states() == UP


def vlans() -> set[object]:
    return {row["vlan"] for row in port_rows(look(lab.layout_of(BRIDGE))) if row["nic"]}


def test_p3_the_ports_of_a_host_that_dies_go_down(file: Path, tmp_path: Path) -> None:
    with bridge(file, tmp_path) as daemon, station(file, tmp_path / "h1") as host:
        host.until("associated", 2)
        host.end(signal.SIGKILL)
        daemon.until("expired", 2)
        wait_until(lambda: "up" not in states().values(), "both are down")


def test_p3_a_withdrawn_s_channel_is_an_unknown_one_and_the_others_stay(file: Path, tmp_path: Path) -> None:
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text(TEXT.replace("functions: 3", "functions: 2"))
    with bridge(file, tmp_path) as daemon:
        with station(file, tmp_path / "h1") as host:
            host.until("associated", 2)
            wait_until(lambda: states() == UP, "both are up")
        with station(fewer, tmp_path / "h1") as host, PacketSocket(ADAPTER) as wire:
            daemon.until("channel-withdrawn")
            host.until("associated", 2)
            wait_until(lambda: channels() == {1, 2, 3}, "the third has no port any more")
            assert states() == UP
            before = dropped(DropReason.UNKNOWN_CHANNEL)
            octets = frame(Mac.parse("02:00:00:00:00:02"), Mac.parse("02:00:00:00:00:03"), 7)
            wire.send(octets[:12] + up_tag(ChannelKind.SCHANNEL, THIRD, 0) + octets[12:])
            wait_until(lambda: dropped(DropReason.UNKNOWN_CHANNEL) == before + 1, "what comes in it is counted so")


def channels() -> set[int]:
    """Those of the vEths that there are; the PF has the first."""
    with Workshop(BRIDGE) as workshop:
        found = read_live(workshop.node(netns_of(BRIDGE, "bridge", BRIDGE)))
    assert isinstance(found, BridgeTables)
    return {port_channel(number) for number, port in found.ports.items() if not port.network}


def test_it_is_taken_down_while_it_runs(file: Path, tmp_path: Path) -> None:
    with Netlink() as here:
        before = [here.link(name) for name in (CABLE, PORT)]
        with bridge(file, tmp_path) as daemon, station(file, tmp_path / "h1") as host:
            host.until("associated", 2)
            assert run(["bridge", str(file), "--name", BRIDGE, "--down"]) == 0
            assert daemon.process.wait(DEADLINE_S) == 0
        assert [here.link(name) for name in (CABLE, PORT)] == before
    assert BRIDGE not in lab.labs()


def test_a_second_one_is_refused(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bridge(file, tmp_path):
        command = [sys.executable, "-m", "openfex", "bridge", str(file), "--name", BRIDGE]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (found.returncode, "agents-run" in found.stderr) == (1, True)
        other = tmp_path / "lab.yaml"
        other.write_text(f"kind: network\nname: {BRIDGE}\nspec: {{bridges: {{sw: {{ports: [up0]}}}}}}\n")
        assert run(["lab", "up", str(other)]) == 1
        assert "[lab-exists]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (("up0: {device: fex-t-port}", "up0: {}"), "port-needs-device"),
        (("remote: true, ", ""), "port-needs-remote"),
        (("port: fex-t-cable", "port: fex-t-port"), "duplicate-device"),
        (("port: fex-t-cable", "port: fex-t-none"), "no-such-device"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    file: Path, edit: tuple[str, str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(TEXT.replace(*edit, 1))
    assert run(["bridge", str(file), "--name", BRIDGE]) == 1
    assert f"[{code}]" in capsys.readouterr().err
    assert BRIDGE not in lab.labs()
    with Netlink() as here:
        assert {CABLE, PORT} <= {link.name for link in here.links()}


def test_which_bridge_has_to_be_clear(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bridge", str(file)]) == 1
    assert "[which-node]" in capsys.readouterr().err
    assert run(["bridge", str(file), "--name", "sw"]) == 1
    assert "[no-such-node]" in capsys.readouterr().err
