# SPDX-License-Identifier: Apache-2.0
"""Telling the service manager, by both kinds of sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from openfex.errors import KernelError
from openfex.linux.notify import VARIABLE, notify


@pytest.mark.parametrize("abstract", [False, True])
def test_what_is_told_arrives_as_one_datagram(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"@fex-test-notify-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv(VARIABLE, place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(place.replace("@", "\0", 1) if abstract else place)
        ear.settimeout(5)
        assert notify(["READY=1", "STATUS=two\nlines"])
        assert ear.recv(1000) == b"READY=1\nSTATUS=two lines"


def test_nobody_is_told_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not notify(["READY=1"])


def test_a_manager_that_does_not_listen_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="service manager"):
        notify(["READY=1"], str(tmp_path / "nobody"))
