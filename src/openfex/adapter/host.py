# SPDX-License-Identifier: Apache-2.0
"""What changing a machine's real adapters needs of a kernel: read, write, wait. It decides nothing.

`adapter/sriov.py` is the real one; `testing/adapters.py` behaves as it does, without a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from openfex.model.adapters import NetDevice, RealAdapter
from openfex.model.functions import HwMode, Settings


class Host(Protocol):
    """One machine's PCI functions. What the kernel refuses is raised as errors.py has it."""

    def observe(self, address: str = "") -> tuple[RealAdapter, ...]:
        """All adapters that can be carved, or the one of an address, with their functions; sorted by address."""

    def set_count(self, adapter: str, count: int) -> None:
        """Carve: from none to so many, or from any to none."""

    def set_autoprobe(self, adapter: str, on: bool) -> None:
        """Whether new functions get a driver by themselves."""

    def set_hwmode(self, adapter: str, mode: HwMode) -> None:
        """How the adapter's embedded switch works."""

    def set_attributes(self, adapter: str, index: int, change: Settings) -> None:
        """Set attributes of a function through its PF; None leaves one as it is."""

    def unbind(self, function: str) -> None:
        """Take a function from its driver."""

    def set_override(self, function: str, driver: str) -> None:
        """The only driver that it may get; empty: any."""

    def probe(self, function: str) -> None:
        """Let the kernel look for its driver."""

    def move(self, device: NetDevice, space: str, name: str) -> None:
        """Put a network device into a name space (empty: this one), down and under another name."""

    def set_up(self, device: NetDevice) -> None:
        """Set a network device up."""

    def wait(self, holds: Callable[[], bool], deadline_s: float) -> bool:
        """Wait until something holds, asked again at each event of the kernel; whether it does."""
