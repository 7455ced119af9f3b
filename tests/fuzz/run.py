# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.fuzz.run TARGET RUNS [--keep]`: octets by the million, guided by what code they reach (atheris).

Begins with the corpus of the target, tests/data/fuzz/TARGET.hex. An input that breaks a promise is printed as hex, and
the status is not 0. With `--keep` what reached more than what was there before is added to the corpus.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.corpus import read_corpus, write_corpus

MOST_OCTETS = 256


def fuzz(target: str, folder: Path, runs: int) -> None:
    """Become the fuzzer; libFuzzer ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["openfex", "tests"]):
        targets = importlib.import_module("tests.fuzz.targets")
    words = ("".join(f"\\x{octet:02x}" for octet in word) for word in sorted(targets.words()))
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words))
    options = [f"-runs={runs}", f"-max_len={MOST_OCTETS}", f"-dict={folder / 'words'}", "-artifact_prefix=fault-"]
    os.chdir(folder)
    atheris.Setup(["fuzz", *options, str(folder / "corpus")], targets.TARGETS[target])
    atheris.Fuzz()


def search(target: str, runs: int, *, keep: bool) -> int:
    """Search from the corpus of a target. Gives the fuzzer's status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for number, octets in enumerate(read_corpus(target)):
            (corpus / str(number)).write_bytes(octets)
        here = [sys.executable, "-m", "tests.fuzz.run", "--inside", target, name, str(runs)]
        status = subprocess.run(here, check=False).returncode
        for fault in folder.glob("fault-*"):
            print(f"{target} {fault.read_bytes().hex()}")
        if keep and not status:
            write_corpus(target, [one.read_bytes() for one in corpus.iterdir()])
        return status


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        fuzz(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(search(sys.argv[1], int(sys.argv[2]), keep="--keep" in sys.argv[3:]))
