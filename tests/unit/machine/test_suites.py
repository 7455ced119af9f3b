# SPDX-License-Identifier: Apache-2.0
"""Another suite, for one call of apt: its entry is made of one that a machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import suites
from openfex.machine.suites import with_suite

SECURITY = "Types: deb\nURIs: http://b.example/sec\nSuites: old-security\nComponents: main\n"
BLOCKS = f"""\
Types: deb deb-src
# the mirror next door
URIs: http://a.example/debian
Suites: old old-updates
Components: main
Signed-By: /keys/it.gpg

{SECURITY}"""
LINES = """\
# deb http://a.example/debian old main
deb http://b.example/sec old-security main
deb [signed-by=/keys/it.gpg] http://a.example/debian old main contrib
"""


def test_of_blocks_the_one_for_the_release_is_taken_with_all_it_says() -> None:
    assert with_suite(BLOCKS, "old", "old-backports") == (
        "Types: deb deb-src\n"
        "# the mirror next door\n"
        "URIs: http://a.example/debian\n"
        "Suites: old-backports\n"
        "Components: main\n"
        "Signed-By: /keys/it.gpg\n"
    )


def test_of_lines_the_one_for_the_release_is_taken() -> None:
    assert with_suite(LINES, "old", "new") == "deb [signed-by=/keys/it.gpg] http://a.example/debian new main\n"


@pytest.mark.parametrize("text", [SECURITY, "", "# deb http://a.example/debian old main\n"])
def test_what_is_for_something_else_is_not_taken(text: str) -> None:
    assert with_suite(text, "old", "new") == ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine's folder of apt."""
    monkeypatch.setattr(suites, "_APT", tmp_path)
    monkeypatch.setattr(suites, "read_release", lambda: "old")
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/it.sources").write_text(BLOCKS)
    return tmp_path


def told(options: list[str]) -> dict[str, str]:
    assert options[::2] == ["-o"] * (len(options) // 2)
    return {name: value for name, _, value in (one.partition("=") for one in options[1::2])}


def test_apt_is_shown_that_suite_alone_for_a_block(machine: Path) -> None:
    with suites.options_for("old-backports") as options:
        parts = Path(told(options)["Dir::Etc::sourceparts"])
        assert [one.name for one in parts.iterdir()] == ["openfex.sources"]
        assert "Suites: old-backports" in (parts / "openfex.sources").read_text()
        assert list((Path(told(options)["Dir::State::lists"])).iterdir()), "the folder that apt wants there"
        assert told(options)["Dir::Etc::sourcelist"] == "/dev/null"
    assert not parts.exists()


def test_or_that_suite_beside_all_that_the_machine_uses(machine: Path) -> None:
    (machine / "sources.list").write_text(LINES)
    with suites.options_for("old-backports", beside=True) as options:
        parts = Path(told(options)["Dir::Etc::sourceparts"])
        assert sorted(one.name for one in parts.iterdir()) == ["it.sources", "openfex.sources", "sources.list"]
        assert (parts / "it.sources").read_text() == BLOCKS


def test_without_an_entry_to_copy_it_is_refused(machine: Path) -> None:
    (machine / "sources.list.d/it.sources").write_text(SECURITY)
    with pytest.raises(UnsupportedError) as refused, suites.options_for("old-backports"):
        pass
    assert refused.value.code == "no-suite"
    assert refused.value.remedy
