# SPDX-License-Identifier: Apache-2.0
"""The program as people start it, on a real lab: what it prints, what it leaves behind, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import openfex
from openfex.lab.lab import down, labs
from openfex.linux import netns

pytestmark = pytest.mark.root

LAB = "test-cli"
HOST, VM1 = f"fex_{LAB}_host_h1", f"fex_{LAB}_machine_vm1"
CARVED = f"""
kind: network
name: {LAB}
spec: {{bridges: {{sw-a: {{fabric: a, ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: h1
spec: {{channel: etag, uplinks: {{a: {{device: up-a, bridge: sw-a}}}}}}
---
kind: adapter
name: nic0
spec: {{host: h1, model: bcm-8, functions: 4, storage: 1}}
"""
BOUND = f"""{CARVED}
---
kind: machine
name: vm1
spec: {{host: h1, nics: {{eth0: {{profile: web, mac: 52:54:00:00:00:01, address: 10.0.10.1/24}}}}}}
---
kind: machine
name: local
spec: {{host: h1, type: host, nics: {{data0: {{profile: web, address: 10.0.10.2/24}}}}}}
"""
BROKEN = """
kind: network
name: test-cli-broken
spec: {bridges: {sw-a: {fabric: a, ports: [up0]}}}
---
kind: profile
name: web
spec: {vlan: {access: 5000}, colour: red}
---
kind: adapter
name: nic0
spec: {host: h9, model: bcm-8, functions: many}
"""
# Port 9 is closed, and the answer says so: a frame each way has arrived by then.
KNOCK = "import errno, socket, sys; s = socket.socket(); sys.exit(s.connect_ex(('10.0.10.2', 9)) != errno.ECONNREFUSED)"
FORGE = (
    "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0));"
    " [s.send(bytes.fromhex('ffffffffffff5254000000990800') + bytes(50)) for _ in range(3)]"
)
COMMAND = [sys.executable, "-m", "openfex"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(openfex.__file__).parents[1])}


def fex(*words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [*COMMAND, *words], env=ENVIRONMENT, input=given, capture_output=True, text=True, check=False, timeout=60
    )


def shown(*words: str) -> Any:
    """What a command prints with --json."""
    done = fex(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ports() -> dict[str, dict[str, Any]]:
    """`show ports` by name."""
    return {row["name"]: row for row in shown("show", "ports", "--lab", LAB)}


@pytest.fixture(scope="module")
def carved() -> Iterator[subprocess.CompletedProcess[str]]:
    """The lab with nothing bound; it is taken down in any case."""
    down(LAB)
    try:
        yield fex("lab", "up", "-", given=CARVED)
    finally:
        down(LAB)


@pytest.fixture(scope="module")
def before(carved: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The ports while nothing is bound."""
    assert carved.returncode == 0, carved.stderr
    return ports()


@pytest.fixture(scope="module")
def bound(before: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the lab with two machines, which is up."""
    file = tmp_path_factory.mktemp("cli") / "bound.yaml"
    file.write_text(BOUND)
    done = fex("lab", "up", str(file))
    assert done.returncode == 0, done.stderr
    return file


def test_up_says_in_a_line_what_was_made(carved: subprocess.CompletedProcess[str]) -> None:
    assert carved.stdout.startswith(f"lab {LAB} is up: ")
    assert "0 changed, 0 removed" in carved.stdout
    assert carved.stdout.count("\n") == 1
    assert carved.stderr == ""


def test_before_binding_there_is_a_port_a_function_all_down(before: dict[str, dict[str, Any]]) -> None:
    assert list(before) == ["sw-a/up0", *(f"sw-a/veth1.{channel}" for channel in range(1, 6))]
    assert before["sw-a/up0"]["state"] == "up"
    states = {(row["state"], row["profile"], row["mac"]) for name, row in before.items() if "veth" in name}
    assert states == {("down, no profile", None, None)}
    assert [before[f"sw-a/veth1.{channel}"]["function"] for channel in (1, 5)] == ["nic0/0", "nic0/4"]


def test_binding_is_a_difference_and_brings_two_ports_up(bound: Path) -> None:
    after = ports()
    wanted = {"state": "up", "profile": "web", "vlan": 10, "mac": "52:54:00:00:00:01", "pin": "sw-a/up0", "note": ""}
    assert after["sw-a/veth1.1"].items() >= {**wanted, "nic": "vm1/eth0", "channel": 1, "kind": "etag"}.items()
    assert [after[f"sw-a/veth1.{channel}"]["state"] for channel in (2, 3)] == ["up", "down, no profile"]
    assert "nothing to do" in fex("lab", "up", str(bound)).stdout
    assert shown("plan", str(bound))["operations"] == []
    assert shown("apply", str(bound)).items() >= {"lab": LAB, "made": 0, "changed": 0, "removed": 0}.items()


def test_frames_are_counted_on_their_ports(bound: Path) -> None:
    old = ports()
    assert fex("lab", "exec", "--lab", LAB, "vm1", sys.executable, "-c", KNOCK).returncode == 0
    new = ports()
    for name in ("sw-a/veth1.1", "sw-a/veth1.2"):
        assert new[name]["in_frames"] > old[name]["in_frames"]
        assert new[name]["in_octets"] > old[name]["in_octets"]
    assert new["sw-a/veth1.3"]["in_frames"] == 0


@pytest.mark.usefixtures("bound")
def test_exec_is_the_command() -> None:
    run = ("lab", "exec", "--lab", LAB)
    assert fex(*run, "vm1", "sh", "-c", "exit 7").returncode == 7
    assert fex(*run, "vm1", "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert fex(*run, "vm1", "cat", given="through\n").stdout == "through\n"
    assert fex(*run, "vm1", "echo", "--json", "--help", "--", "-x").stdout == "--json --help -- -x\n"
    assert fex(*run, "vm1", "--", "echo", "-n", "x").stdout == "x"
    assert fex(*run, "vm1", "no-such-program").returncode == 127
    addresses = [fex(*run, machine, "ip", "-o", "address").stdout for machine in ("vm1", "local", "h1", "sw-a")]
    assert ["10.0.10.1/24" in text for text in addresses] == [True, False, False, False]
    assert ["10.0.10.2/24" in text for text in addresses] == [False, True, True, False]
    missing = fex(*run, "vm9", "true")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.endswith("[no-such-machine]\n")


@pytest.mark.usefixtures("bound")
def test_show_tells_the_same_lab_everywhere() -> None:
    (adapter,) = shown("show", "adapters", "--lab", LAB)
    assert adapter.items() >= {"limit": 8, "nic": 4, "storage": 1, "bound": 2}.items()
    functions = {row["name"]: row for row in shown("show", "functions", "--lab", LAB)}
    assert functions["nic0/0"].items() >= {"state": "bound", "nic": "vm1/eth0", "where": "vm1:eth0"}.items()
    assert functions["nic0/1"]["where"] == "h1:data0"
    assert functions["nic0/2"].items() >= {"state": "free", "where": "h1:f0v2", "note": ""}.items()
    assert functions["nic0/4"].items() >= {"purpose": "storage", "state": "free"}.items()
    assert [row["state"] for row in shown("show", "bindings", "--lab", LAB)] == ["up", "up"]
    assert [row["name"] for row in shown("show", "machines", "--lab", LAB)] == ["vm1", "local"]
    assert shown("show", "hosts", "--lab", LAB)[0]["bound"] == 2
    assert shown("show", "profiles", "--lab", LAB)[0]["ports"] == 2


def test_path_tells_every_hop_and_what_a_machine_did_to_itself(bound: Path) -> None:
    path = shown("show", "path", "vm1/eth0", "--lab", LAB)
    assert [hop["program"] for hop in path["hops"]] == [
        None,
        "extender_up",
        "extender_down",
        "bridge_in",
        None,
        "bridge_in",
    ]
    assert all(hop["program_id"] and hop["current"] for hop in path["hops"] if hop["program"])
    assert path["would_drop"] == []
    netns.run(VM1, ["ip", "link", "set", "eth0", "address", "52:54:00:00:00:99"], check=True)
    (drop,) = shown("show", "path", "vm1/eth0", "--lab", LAB)["would_drop"]
    assert (drop["hop"], drop["reason"]) == (1, "spoofed-source")
    assert fex("lab", "up", str(bound)).returncode == 0
    assert shown("show", "path", "vm1/eth0", "--lab", LAB)["would_drop"] == []


@pytest.mark.usefixtures("bound")
def test_drops_tell_node_port_and_reason() -> None:
    def spoofed() -> int:
        rows = shown("show", "drops", "--lab", LAB)
        keys = [(row["node"], row["port"], row["reason"]) for row in rows]
        key = ("sw-a", "sw-a/veth1.1", "spoofed-source")
        return int(rows[keys.index(key)]["frames"]) if key in keys else 0

    old, dropped = spoofed(), ports()["sw-a/veth1.1"]["drops"]
    assert fex("lab", "exec", "--lab", LAB, "vm1", sys.executable, "-c", FORGE).returncode == 0
    assert spoofed() == old + 3
    assert ports()["sw-a/veth1.1"]["drops"] == dropped + 3
    assert "spoofed-source" in fex("show", "drops", "--lab", LAB).stdout


def test_watching_drops_ends_with_ctrl_c(bound: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "show", "drops", "--lab", LAB, "--watch", "--json"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout
        assert watching.stderr
        assert isinstance(json.loads(watching.stdout.readline()), list)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=10) == 0
        assert watching.stderr.read() == ""


def test_status_says_what_is_missing_and_up_puts_it_back(bound: Path) -> None:
    whole = fex("lab", "status", LAB)
    assert whole.returncode == 0, whole.stdout
    netns.run(HOST, ["ip", "link", "set", "up-a", "down"], check=True)
    netns.run(HOST, ["tc", "filter", "del", "dev", "f0p0", "ingress"], check=True)
    broken = fex("lab", "status", "--lab", LAB, "--json")
    assert broken.returncode == 1
    rows = {row["name"]: row for row in json.loads(broken.stdout)}
    assert rows["h1"]["missing"] == ["change wire h1.a", f"change datapath of {HOST}"]
    assert rows["vm1"]["state"] == "up"
    told = [row["message"] for row in shown("show", "path", "vm1/eth0", "--lab", LAB)["would_drop"]]
    assert "the device up-a is down" in told
    assert "the program extender_up is not attached to f0p0: its frames are not taken" in told
    assert "devices: 1 new" in fex("plan", str(bound)).stdout
    assert fex("lab", "up", str(bound)).returncode == 0
    assert fex("lab", "status", LAB).returncode == 0


@pytest.mark.slow
def test_a_lab_with_a_name_space_torn_out_can_still_be_looked_at(bound: Path) -> None:
    netns.delete(VM1)
    for words in ("ports", "functions", "machines", "bindings", "adapters", "path vm1/eth0", "nodes", "drops", "hosts"):
        done = fex("show", *words.split(), "--lab", LAB)
        assert done.returncode == 0, done.stderr
    assert fex("lab", "status", LAB).returncode == 1
    assert fex("lab", "up", str(bound)).returncode == 0
    assert fex("lab", "status", LAB).returncode == 0


def test_a_bad_file_is_refused_with_every_problem_at_once(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(BROKEN)
    for words in (("lab", "up"), ("plan",), ("apply",)):
        done = fex(*words, str(file), "--json")
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert [line.startswith(f"fex: {file}:") for line in lines] == [True] * 3
        for text in ("5000", "colour", "functions"):
            assert any(text in line for line in lines)
        told = json.loads(done.stdout)
        assert [problem["line"] for problem in told["problems"]] == [8, 8, 12]
    assert "test-cli-broken" not in labs()


@pytest.mark.parametrize("words", [("lab", "up"), ("nope",), ("lab", "up", "x", "--nope"), ("show", "path")])
def test_wrong_use_is_two(words: tuple[str, ...]) -> None:
    done = fex(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fex: ")


def test_a_reader_that_goes_away_is_no_error(bound: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "show", "ports", "--lab", LAB], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as showing:
        assert showing.stdout
        assert showing.stderr
        showing.stdout.close()
        assert showing.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_stays_until_told_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    name = "test-cli-foreground"
    file = tmp_path / "foreground.yaml"
    file.write_text(BOUND.replace(LAB, name))
    down(name)
    with subprocess.Popen(
        [*COMMAND, "lab", "up", str(file), "--foreground"], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as staying:
        assert staying.stdout
        assert f"lab {name} is up" in staying.stdout.readline()
        assert "stays" in staying.stdout.readline()
        assert name in labs()
        staying.send_signal(number)
        assert f"lab {name} is down" in staying.stdout.read()
        assert staying.wait(timeout=20) == 0
    assert name not in labs()


@pytest.mark.usefixtures("bound")
def test_down_leaves_nothing_and_again_is_no_error() -> None:
    first = fex("lab", "down", LAB)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(f"lab {LAB} is down: ")
    assert LAB not in labs()
    assert netns.names(f"fex_{LAB}_") == []
    again = fex("lab", "down", "--lab", LAB)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"nothing is left of lab {LAB}: nothing to do\n"
    assert shown("lab", "down", LAB)["removed"] == []
    gone = fex("lab", "status", LAB)
    assert (gone.returncode, gone.stderr.split()[-1]) == (1, "[no-such-lab]")
