# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a program can check. CONTRIBUTING.md gives the reasons."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "openfex"

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
APACHE = "SPDX-License-Identifier: Apache-2.0"
DUAL = "SPDX-License-Identifier: GPL-2.0-or-later OR MIT"

MADE_BY_TOOLS = {".git", ".venv", ".nox", "__pycache__", "objects", "dist", "build", "htmlcov", "node_modules"}
CACHES = re.compile(r"\.(hypothesis|.*_cache|coverage.*)|.*\.egg-info")
# Spelt in pieces, so that this file does not break its own rule.
REGISTRY_HOSTS = tuple(
    f"{name}.{top}"
    for name, top in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb.debian", "org"),
        ("security.debian", "org"),
        ("golang", "org"),
        ("crates", "io"),
    )
)
PLACES_OF_ONE_MACHINE = re.compile(r"(?<![\w.~-])/(root/|work/(main|shared|\.library)\b)")


@cache
def house_files() -> tuple[Path, ...]:
    """Every file that people wrote: what git would commit or, outside a repository, what tools did not make."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        return tuple(sorted(_walk()))
    return tuple(sorted(path for name in listed if name and (path := ROOT / name).is_file()))


def _walk() -> Iterator[Path]:
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if name not in MADE_BY_TOOLS and not CACHES.fullmatch(name)]
        yield from (Path(folder, name) for name in names if not CACHES.fullmatch(name))


def python_files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rooms() -> list[str]:
    return sorted(path.name for path in SRC.iterdir() if (path / "__init__.py").exists())


def requirement_files() -> list[Path]:
    return sorted((ROOT / "requirements").glob("*.*"))


def pins(path: Path) -> dict[str, str]:
    """The pinned packages of one requirements file: name -> version."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+) \\$", path.read_text(), re.MULTILINE))


def test_there_is_a_house() -> None:
    assert python_files()
    assert "model" in rooms()
    assert any(path.suffix == ".md" for path in house_files())


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= LONGEST_FILE, f"{name_of(path)} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"


def test_architecture_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    missing = [room for room in rooms() if not re.search(rf"(?<![\w/]){room}/", text)]
    assert not missing, "ARCHITECTURE.md does not name these rooms as `room/`"


def test_every_source_names_its_licence() -> None:
    wrong = []
    for path in house_files():
        if path.suffix in {".py", ".c", ".h"} or path.name in {"fex", "run"}:
            wanted = DUAL if path.suffix in {".c", ".h"} else APACHE
            if wanted not in "\n".join(path.read_text().splitlines()[:3]):
                wrong.append(f"{name_of(path)}: {wanted}")
    assert not wrong


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    wrong = []
    for path in house_files():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            hosts = [host for host in REGISTRY_HOSTS if host in line]
            if hosts or PLACES_OF_ONE_MACHINE.search(line):
                wrong.append(f"{name_of(path)}:{number}: {line.strip()[:100]}")
    assert not wrong


def test_no_file_is_binary() -> None:
    assert not [name_of(path) for path in house_files() if b"\0" in path.read_bytes()]


@pytest.mark.parametrize("path", requirement_files(), ids=name_of)
def test_requirements_hold_no_address(path: Path) -> None:
    for line in path.read_text().splitlines():
        assert not re.search(r"://|^\s*-(?!-hash=)|@", line), f"{name_of(path)}: {line}"


@pytest.mark.parametrize("name", ["run", "dev", "fuzz"])
def test_every_pin_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if entry]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry[:80]


def test_pins_agree_with_each_other_and_with_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run, dev = pins(ROOT / "requirements" / "run.txt"), pins(ROOT / "requirements" / "dev.txt")
    assert run.items() <= dev.items()
    for wish in [*project["project"]["dependencies"], *project["build-system"]["requires"]]:
        name, bound = re.fullmatch(r"([\w.-]+)>=([\d.]+)", wish).groups()  # type: ignore[union-attr]
        pinned = run[re.sub(r"[-_.]+", "-", name)]
        assert _version(pinned) >= _version(bound), f"{name} is pinned to {pinned}, which is older than {bound}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def test_the_arrows_between_the_rooms_hold() -> None:
    """`lint-imports`, of the environment that runs the tests."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_s_door_needs_only_the_standard_library() -> None:
    """Without root `./fex demo` is `python3 -m openfex.proof` on a bare interpreter: -S hides what is installed."""
    command = [sys.executable, "-S", "-B", "-P", "-m", "openfex.proof", "--help"]
    bare = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=bare, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
