# SPDX-License-Identifier: Apache-2.0
"""What tests/vm/test_host.py runs inside the twin: `fex host` for a while, and what is done behind its back.

`python host_day.py FOLDER PF CAPABILITIES` writes FOLDER/day.json: what each hour of the day was like. Everything is
waited for with a deadline; what does not come ends the day with an error. CAPABILITIES are all that it may have, as
setpriv(1) takes them.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

DAY_S = 150.0
END = time.monotonic() + DAY_S
FOLDER, PF = Path(sys.argv[1]), Path("/sys/bus/pci/devices") / sys.argv[2]
CAPABILITIES = sys.argv[3]
FILE, EAR = Path("/tmp/host.yaml"), Path("/tmp/notify")
DOCUMENT = f"""
kind: adapter
name: nic0
spec:
  driver: sriov
  pfs: ["{PF.name}"]
  functions: COUNT
  settings:
    all: {{mac-pool: "52:54:00:00:10:00", vlan: 10}}
"""

Line = dict[str, Any]


def left() -> float:
    """Seconds until the day is over; what is waited for has to come by then."""
    return max(0.1, END - time.monotonic())


def functions() -> list[dict[str, Any]]:
    """The functions as the kernel has them, without a word of ours."""
    links: list[dict[str, Any]] = json.loads(
        subprocess.check_output(["ip", "-d", "-j", "link", "show", netdev(PF)], timeout=left())
    )
    told = {one["vf"]: one for one in links[0].get("vfinfo_list", [])}
    found = []
    for path in sorted(PF.glob("virtfn*")):
        one, driver = told.get(int(path.name.removeprefix("virtfn")), {}), path / "driver"
        vlan = (one.get("vlan_list") or [{}])[0].get("vlan", 0)
        device = netdev(path) if (path / "net").is_dir() else ""
        name = driver.readlink().name if driver.is_symlink() else ""
        found.append({"driver": name, "device": bool(device), "vlan": vlan, "mac": one.get("address")})
    return found


def netdev(function: Path) -> str:
    names = [one.name for one in (function / "net").iterdir()]
    return names[0] if names else ""


class Running:
    """A `fex host`: the lines of its log, and what it tells the service manager, with what there was at that moment."""

    def __init__(self, *options: str) -> None:
        EAR.unlink(missing_ok=True)
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(EAR))
        self.lines: queue.Queue[Line] = queue.Queue()
        self.notified: queue.Queue[tuple[str, list[Any]]] = queue.Queue()
        least = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={CAPABILITIES}"]
        argv = [*least, sys.executable, "-m", "openfex", "host", str(FILE), "--json", *options]
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "NOTIFY_SOCKET": str(EAR)}
        )
        self.told: list[Line] = []
        STARTED.append(self)
        for target in (self._read, self._hear):
            threading.Thread(target=target, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.told.append(json.loads(line))
            self.lines.put(self.told[-1])

    def _hear(self) -> None:
        while True:
            told = self.ear.recv(4096).decode()
            self.notified.put((told, functions()))

    def line(self, wanted: Callable[[Line], bool]) -> list[Line]:
        """The lines until one is as wanted, that one last."""
        found = [self.lines.get(timeout=left())]
        while not wanted(found[-1]):
            found.append(self.lines.get(timeout=left()))
        return found

    def until(self, event: str) -> list[Line]:
        return self.line(lambda line: line["event"] == event)

    def ready(self) -> list[Any]:
        """The functions that there were when it said that it is ready."""
        while True:
            told, there = self.notified.get(timeout=left())
            if "READY=1" in told.split("\n"):
                return there

    def end(self, number: signal.Signals | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(left())


STARTED: list[Running] = []


def disturbed(running: Running, act: Callable[[], object]) -> dict[str, Any]:
    """What is told of a disturbance until it is repaired, and what there is then."""
    begun = time.monotonic()
    act()
    lines = running.until("repaired")
    return {"lines": lines, "after": functions(), "s": round(time.monotonic() - begun, 2)}


def unbind() -> None:
    function = PF / "virtfn1"
    (function / "driver/unbind").write_text(function.readlink().name)


def a_day() -> dict[str, Any]:
    day: dict[str, Any] = {}
    FILE.write_text(DOCUMENT.replace("COUNT", "3"))
    running = Running()
    day["ready"] = running.ready()
    day["start"] = [line["event"] for line in running.until("ready")]
    second = subprocess.Popen(
        [sys.executable, "-m", "openfex", "host", str(FILE), "--once"], stderr=subprocess.PIPE, text=True
    )
    day["reset"] = disturbed(running, lambda: (PF / "sriov_numvfs").write_text("0"))
    day["unbound"] = disturbed(running, unbind)
    vlan = ["ip", "link", "set", netdev(PF), "vf", "0", "vlan", "99"]
    day["vlan"] = disturbed(running, lambda: subprocess.run(vlan, check=True))
    day["second"] = [second.communicate(timeout=left())[1], second.returncode]
    FILE.write_text(DOCUMENT.replace("COUNT", "many"))
    running.process.send_signal(signal.SIGHUP)
    day["bad"] = running.until("refused")[-1]
    before = functions()
    day["status"] = running.end(signal.SIGTERM)
    day["stays"] = functions() == before
    FILE.write_text(DOCUMENT.replace("COUNT", "3"))
    again = Running("--once")
    day["adopted"] = again.until("applied")[-1]
    day["ready again"] = again.ready()
    day["status again"] = again.end()
    return day


if __name__ == "__main__":
    try:
        result: dict[str, object] = {"day": a_day()}
    except Exception:  # noqa: BLE001 -- it is told, and fails the tests
        told = [list(one.told) for one in STARTED]
        result = {"error": f"{traceback.format_exc()}\nThe log: {told}"}
    for one in STARTED:
        one.process.kill()
    (FOLDER / "day.json").write_text(json.dumps(result))
