# SPDX-License-Identifier: Apache-2.0
"""What is checked, and how. `nox -l` lists it; `nox --no-venv` uses the environment that nox itself runs in (.venv)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "unit", "bpf"]

PYTHON_FILES = ("src", "tests", "bpf/build.py", "docs/pages.py", "hatch_build.py", "noxfile.py")
SHELL_FILES = (
    *("fex", ".ci/run", "src/openfex/machine/guest/setup", "src/openfex/machine/guest/agent"),
    "src/openfex/machine/guest/twin",
)


def prepare(session: nox.Session) -> None:
    """An environment with every tool, pinned; with --no-venv the one that is there."""
    if session.venv_backend == "none":
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return
    session.install("--require-hashes", "-r", "requirements/dev.txt")
    session.install("--no-build-isolation", "--no-deps", "--editable", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Layout and rules: ruff, spelling, the arrows between the rooms, clang-format."""
    prepare(session)
    c_files = sorted(str(path) for path in Path("bpf").rglob("*.[ch]"))
    commands = [
        ("ruff", "check", *PYTHON_FILES),
        ("ruff", "format", "--check", *PYTHON_FILES),
        ("codespell",),
        ("lint-imports", "--no-cache", "--no-logo"),
        *([("clang-format", "--dry-run", "--Werror", *c_files)] if c_files else []),
        *[("bash", "-n", path) for path in SHELL_FILES],
    ]
    failed = [" ".join(command[:2]) for command in commands if not passes(session, command)]
    if failed:
        session.error(f"these found something: {', '.join(failed)}")


def passes(session: nox.Session, command: tuple[str, ...]) -> bool:
    """Run it. One that fails does not keep the others from saying what they find."""
    try:
        session.run(*command, external=True)
    except CommandFailed:
        return False
    return True


@nox.session
def types(session: nox.Session) -> None:
    """Every annotation, strictly."""
    prepare(session)
    session.run("mypy", "--strict", *PYTHON_FILES)


@nox.session
def unit(session: nox.Session) -> None:
    """What needs no kernel, with the coverage floor of the pure rooms."""
    prepare(session)
    session.run("coverage", "run", "-m", "pytest", "tests/unit", "tests/property", *session.posargs)
    session.run("coverage", "report")


@nox.session
def bpf(session: nox.Session) -> None:
    """Compile every variant, load it through the verifier, run it on frames. Needs root."""
    prepare(session)
    session.run("python", "bpf/build.py", "--force", "--tests")
    session.run("pytest", "tests/bpf", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Octets by the million through codecs and decisions. `-- RUNS [--keep]`: how many a target; keep what is new."""
    if session.venv_backend == "none":
        session.error("fuzz installs atheris, so it needs an environment of its own: leave --no-venv out")
    session.install("--require-hashes", "-r", "requirements/dev.txt", "-r", "requirements/fuzz.txt")
    runs, *options = session.posargs or ["100000"]
    for corpus in sorted(Path("tests/data/fuzz").glob("*.hex")):
        session.run("python", "-m", "tests.fuzz.run", corpus.stem, runs, *options, env={"PYTHONPATH": "src"})


@nox.session
def netns(session: nox.Session) -> None:
    """Whole paths over real devices in network namespaces, and programs that others wrote. Needs root."""
    prepare(session)
    session.run("pytest", "tests/netns", "tests/interop", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """The wheel: made, installed into an environment of its own, started."""
    prepare(session)
    with tempfile.TemporaryDirectory() as folder:
        session.run("hatchling", "build", "--target", "wheel", "--directory", folder)
        (wheel,) = Path(folder).glob("*-py3-none-any.whl")
        session.run(sys.executable, "-m", "venv", f"{folder}/venv", external=True)
        python = f"{folder}/venv/bin/python"
        session.run(python, "-m", "pip", "install", "--require-hashes", "-r", "requirements/run.txt", external=True)
        session.run(python, "-m", "pip", "install", "--no-deps", "--no-index", str(wheel), external=True)
        session.run(python, "-P", "-m", "openfex", "--help", external=True)


@nox.session
def pages(session: nox.Session) -> None:
    """Write what of docs/ is made from the sources."""
    prepare(session)
    session.run("python", "docs/pages.py")


@nox.session
def pins(session: nox.Session) -> None:
    """Renew requirements/*.txt from pyproject.toml and requirements/*.in."""
    if session.venv_backend == "none":
        session.error("pins installs uv, so it needs an environment of its own: leave --no-venv out")
    session.install("uv")
    uv = ["uv", "pip", "compile", "--quiet", "--upgrade", "--python-version", "3.11", "--python-platform", "linux"]
    uv += ["--generate-hashes", "--no-header", "--no-annotate", "--no-config"]
    run = ["pyproject.toml", "requirements/run.in"]
    session.run(*uv, *run, "--output-file", "requirements/run.txt")
    dev = [*run, "requirements/dev.in", "--constraint", "requirements/run.txt"]
    session.run(*uv, *dev, "--output-file", "requirements/dev.txt")
    session.run(*uv, "requirements/fuzz.in", "--output-file", "requirements/fuzz.txt")
