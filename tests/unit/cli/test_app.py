# SPDX-License-Identifier: Apache-2.0
"""The commands, called without a process and without a kernel: what they print, and how they end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from openfex import __version__
from openfex.cli import app, lab, show
from openfex.cli.app import run
from openfex.cli.machine import PROOFS
from openfex.errors import KernelError, RefusedError
from openfex.lab.lab import Report
from openfex.plan.difference import Operation
from openfex.plan.objects import SpaceKey, SpaceSpec
from openfex.proof.demo import ALL
from tests.unit.lab.sights import DOCUMENTS, small_layout, small_path, small_sight
from tests.unit.lab.test_view_doctor import CAN, HEALTHY

MAKE = Operation(SpaceKey("fex_small_machine_vm1"), None, SpaceSpec(False))
Said = pytest.CaptureFixture[str]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The lab `small` is the only one that is up."""
    sight = small_sight()
    devices = small_path(sight).devices
    monkeypatch.setattr("openfex.lab.lab.labs", lambda: ["small"])
    monkeypatch.setattr("openfex.lab.lab.layout_of", lambda name: sight.layout)
    monkeypatch.setattr("openfex.lab.view.look.look", lambda layout: sight)
    monkeypatch.setattr("openfex.lab.view.look.look_at", lambda lab, places: devices)
    return monkeypatch


class Recorder:
    """A function that remembers what it was called with, and answers what it is told to."""

    def __init__(self, answer: object = None) -> None:
        self.calls: list[object] = []
        self.answer = answer

    def __call__(self, *arguments: object) -> object:
        self.calls.append(arguments[0] if len(arguments) == 1 else arguments)
        return self.answer


@pytest.mark.parametrize(
    "words",
    ["", "--help", "demo --help", "bench --help", "lab", "lab --help", "show", "show --help", "lab exec --help"],
)
def test_help_teaches(words: str, capsys: Said) -> None:
    assert run(words.split()) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "Example" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


def test_every_command_says_what_it_is_for(capsys: Said) -> None:
    run([])
    told = capsys.readouterr().out
    commands = ("apply", "bench", "capture", "demo", "doctor", "explain", "lab", "plan", "show")
    assert all(f"│ {name} " in told for name in commands)
    run(["show"])
    told = capsys.readouterr().out
    names = (
        "adapters",
        "functions",
        "ports",
        "profiles",
        "hosts",
        "machines",
        "bindings",
        "path",
        "nodes",
        "drops",
        "programs",
    )
    assert all(f"│ {name} " in told for name in names)


def test_the_help_of_demo_lists_every_proof() -> None:
    assert set(ALL) <= set(PROOFS.split())


def test_the_version(capsys: Said) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        "nope",
        "lab nope",
        "show nope",
        "lab up",
        "lab up a b",
        "lab up --nope",
        "lab up a --nope",
        "lab exec vm1",
        "plan",
        "show path",
        "demo --channel wire",
        "lab down x --all",
        "doctor x",
    ],
)
def test_wrong_use_is_two_with_one_line(words: str, capsys: Said) -> None:
    assert run(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fex: ")
    assert said.err.endswith("--help` says how) [usage]\n")


def test_wrong_use_is_json_too(capsys: Said) -> None:
    assert run(["show", "path", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "usage"


@pytest.mark.parametrize(
    "words",
    [
        "show adapters",
        "show adapters --catalogue",
        "show functions",
        "show ports",
        "show profiles",
        "show hosts",
        "show machines",
        "show bindings",
        "show path vm1/eth0",
        "show nodes",
        "show rules",
        "show rules vm1/eth0",
        "show drops",
    ],
)
@pytest.mark.usefixtures("small")
def test_show_prints_a_table_or_json(words: str, capsys: Said) -> None:
    assert run(words.split()) == 0
    assert capsys.readouterr().out.strip()
    assert run([*words.split(), "--lab", "small", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list | dict)


@pytest.mark.parametrize(("what", "said"), [("drops", "nothing was dropped"), ("rules", "no rules")])
def test_what_is_counted_is_watched_until_ctrl_c(small: pytest.MonkeyPatch, capsys: Said, what: str, said: str) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) >= 3:
            raise KeyboardInterrupt

    small.setattr("time.sleep", sleep)
    assert run(["show", what, "--watch"]) == 0
    assert naps == [show.WATCH_S] * 3
    assert said in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_what_is_not_there_is_refused(capsys: Said) -> None:
    assert run(["show", "ports", "--lab", "large"]) == 1
    assert capsys.readouterr().err.endswith("[no-such-lab]\n")
    assert run(["show", "path", "vm9/eth0"]) == 1
    assert capsys.readouterr().err.endswith("[no-such-nic]\n")
    assert run(["show", "rules", "vm9/eth0"]) == 1
    assert capsys.readouterr().err.endswith("[no-such-profile]\n")
    assert run(["lab", "exec", "vm9", "true"]) == 1
    assert capsys.readouterr().err.endswith("[no-such-machine]\n")


def test_up_reads_plans_and_tells(small: pytest.MonkeyPatch, tmp_path: Path, capsys: Said) -> None:
    asked: list[tuple[str, str]] = []

    def up(text: str, file: str, progress: Callable[[int, int, Operation], None]) -> Report:
        asked.append((text, file))
        progress(0, 1, MAKE)
        return Report(small_layout(), (MAKE,))

    small.setattr("openfex.lab.lab.up", up)
    file = tmp_path / "small.yaml"
    file.write_text(DOCUMENTS)
    assert run(["lab", "up", str(file)]) == 0
    assert capsys.readouterr().out.startswith("lab small is up: 1 made, 0 changed, 0 removed (")
    assert run(["apply", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lab"], told["made"], len(told["operations"])) == ("small", 1, 1)
    assert asked == [(DOCUMENTS, str(file))] * 2


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(143)])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_in_the_foreground_it_stays_and_is_taken_down(
    ending: BaseException, words: list[str], small: pytest.MonkeyPatch, tmp_path: Path, capsys: Said
) -> None:
    def pause() -> None:
        raise ending

    down = Recorder(["name space x"])
    small.setattr("openfex.lab.lab.up", lambda text, file, progress: Report(small_layout(), ()))
    small.setattr("openfex.lab.lab.down", down)
    small.setattr("signal.pause", pause)
    small.setattr("signal.signal", lambda number, handler: signal.SIG_DFL)
    (tmp_path / "file").touch()
    assert run(["lab", "up", str(tmp_path / "file"), "--foreground", *words]) == 0
    assert down.calls == ["small"]
    out = capsys.readouterr().out
    assert json.loads(out)["lab"] == "small" if words else out.splitlines()[-1].startswith("lab small is down")


def test_down_again_is_no_error(small: pytest.MonkeyPatch, capsys: Said) -> None:
    left = {"small": ["name space x"]}
    small.setattr("openfex.lab.lab.labs", lambda: sorted(left))
    small.setattr("openfex.lab.lab.down", lambda name: left.pop(name, []))
    assert run(["lab", "down"]) == 0
    assert run(["lab", "down"]) == 0
    assert run(["lab", "down", "--all"]) == 0
    assert run(["lab", "down", "small"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("lab small is down: 1 name spaces")
    assert told[1:] == ["no lab is up: nothing to do"] * 2 + ["nothing is left of lab small: nothing to do"]
    assert run(["lab", "down", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).items() >= {"labs": [], "removed": []}.items()


def test_down_does_not_guess_and_takes_all_when_asked(small: pytest.MonkeyPatch, capsys: Said) -> None:
    down = Recorder([])
    small.setattr("openfex.lab.lab.labs", lambda: ["one", "two"])
    small.setattr("openfex.lab.lab.down", down)
    assert run(["lab", "down"]) == 1
    assert "one, two" in capsys.readouterr().err
    assert run(["lab", "down", "--all"]) == 0
    assert down.calls == ["one", "two"]
    assert run(["lab", "down", ".."]) == 1
    assert down.calls == ["one", "two"]


def test_status_is_one_unless_all_is_as_wanted(small: pytest.MonkeyPatch, capsys: Said) -> None:
    for operations, wanted in (((), 0), ((MAKE,), 1)):
        report = Report(small_layout(), operations)
        small.setattr("openfex.lab.lab.drift", lambda name, report=report: report)
        assert run(["lab", "status"]) == wanted
    assert "make name space fex_small_machine_vm1" in capsys.readouterr().out


def test_plan_prints_the_operations(small: pytest.MonkeyPatch, tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "file").touch()
    small.setattr("openfex.lab.lab.plan", lambda text, file: Report(small_layout(), (MAKE,)))
    assert run(["plan", str(tmp_path / "file")]) == 0
    out = capsys.readouterr().out
    assert "make  name space fex_small_machine_vm1" in out
    assert out.endswith("to be made: 1, changed: 0, removed: 0\n")
    assert run(["plan", str(tmp_path / "file"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["operations"][0]["verb"] == "make"
    small.setattr("openfex.lab.lab.plan", lambda text, file: Report(small_layout(), ()))
    assert run(["plan", str(tmp_path / "file")]) == 0
    assert capsys.readouterr().out == "lab small is as wanted: nothing to do\n"


def test_exec_becomes_the_command(small: pytest.MonkeyPatch, capsys: Said) -> None:
    entered, became = Recorder(nullcontext()), Recorder()
    small.setattr("openfex.linux.netns.entered", entered)
    small.setattr("os.execvp", became)
    run(["lab", "exec", "vm1", "ip", "--json", "link", "--", "-x"])
    assert entered.calls == ["fex_small_machine_vm1"]
    assert became.calls == [("ip", ["ip", "--json", "link", "--", "-x"])]
    small.undo()
    before = signal.getsignal(signal.SIGPIPE)
    assert lab._become(["/no/such/program"]) == 127
    assert lab._become(["/"]) == 126
    assert signal.getsignal(signal.SIGPIPE) is before
    assert capsys.readouterr().err.startswith("fex: cannot run /no/such/program: No such file")


def test_doctor_says_what_is_missing(small: pytest.MonkeyPatch, capsys: Said) -> None:
    small.setattr("openfex.datapath.objects.object_path", Path)
    small.setattr("openfex.linux.facts.gather", lambda tools, objects: HEALTHY)
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("This machine can forward frames.\n")
    broken = replace(HEALTHY, can=replace(CAN, bpf=False, reasons=("No BPF here.",)))
    small.setattr("openfex.linux.facts.gather", lambda tools, objects: broken)
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BPF                 bad" in out
    assert "No BPF here." in out
    assert run(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["kernel_engine"] is False


def test_demo_is_handed_its_arguments(small: pytest.MonkeyPatch) -> None:
    demo = Recorder(3)
    small.setattr("openfex.proof.demo.main", demo)
    assert run(["demo"]) == 3
    assert run(["demo", "one", "two", "--channel", "etag", "--engine", "reference", "--keep", "--json"]) == 3
    assert demo.calls == [[], ["--channel=etag", "--engine=reference", "--keep", "--json", "one", "two"]]


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (RefusedError("no", code="not-so"), 1, "fex: no [not-so]\n"),
        (KernelError("cannot make x", 5), 1, "fex: cannot make x [kernel-refused]\n"),
        (OSError(28, "No space left on device", "/run"), 1, "fex: /run: No space left on device [system-refused]\n"),
        (KeyboardInterrupt(), 130, "fex: stopped\n"),
    ],
)
def test_how_it_ends(raised: BaseException, status: int, said: str, small: pytest.MonkeyPatch, capsys: Said) -> None:
    def look(layout: object) -> object:
        raise raised

    small.setattr("openfex.lab.view.look.look", look)
    assert run(["show", "ports"]) == status
    assert capsys.readouterr() == ("", said)


def test_a_reader_that_has_gone_is_no_error(small: pytest.MonkeyPatch, capsys: Said) -> None:
    def broken(*_: object) -> object:
        raise BrokenPipeError

    small.setattr("openfex.lab.view.look.look", broken)
    small.setattr("openfex.cli.app.leave_quietly", lambda: 141)
    assert run(["show", "ports"]) == 141
    assert capsys.readouterr() == ("", "")


def test_being_asked_to_end_unwinds() -> None:
    with pytest.raises(SystemExit) as end:
        app._end(signal.SIGTERM, None)
    assert end.value.code == 143
