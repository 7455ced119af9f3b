# SPDX-License-Identifier: Apache-2.0
"""The compiled test build, up to date, whoever starts these tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[2] / "bpf" / "build.py"


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    subprocess.run([sys.executable, str(BUILD), "--tests"], check=True)
