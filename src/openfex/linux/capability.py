# SPDX-License-Identifier: Apache-2.0
"""What this machine lets us do: whether the kernel engine can run here, found out by trying each thing.

Nothing outside the standard library is imported until something is tried, so a bare `python3` can ask this as an
ordinary user. Nothing is left behind: links are made in a name space without a name, programs are closed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import OpenfexError

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
_BPFFS = Path("/sys/fs/bpf")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What works here; `reasons` has a sentence for each thing that does not."""

    root: bool
    netns: bool
    bpf: bool
    bpffs: bool
    clsact: bool
    tap: bool
    libbpf: str | None
    """The library's version."""
    reasons: tuple[str, ...]

    @property
    def kernel_engine(self) -> bool:
        """True if openfex can forward frames in this kernel; TAPs are needed for virtual machines only."""
        return self.root and self.netns and self.bpf and self.bpffs and self.clsact and self.libbpf is not None


def probe() -> Capabilities:
    """Try everything. Never raises."""
    reasons: list[str] = []

    def works(trial: Callable[[], None], sentence: str) -> bool:
        try:
            trial()
        except (OpenfexError, OSError, ImportError) as cause:
            reasons.append(f"{sentence}: {cause}.")
            return False
        return True

    root = _is_root()
    if not root:
        reasons.append("This is not root, which name spaces, BPF programs and packet sockets need.")
    version = _libbpf_version()
    if version is None:
        reasons.append("libbpf.so.1 is not installed: apt-get install libbpf1.")
    netns = root and works(_try_netns, "Network name spaces cannot be made")
    bpf = root and version is not None and works(_try_bpf, "BPF programs cannot be loaded")
    bpffs = _has_bpffs()
    if not bpffs:
        reasons.append(f"There is no BPF file system: the kernel lacks it, or {_BPFFS} does not exist.")
    clsact = netns and bpf and works(_try_clsact, "A BPF program cannot be attached to a link by clsact")
    tap = netns and works(_try_tap, "TAP devices for virtual machines cannot be made")
    return Capabilities(root, netns, bpf, bpffs, clsact, tap, version, tuple(reasons))


def _is_root() -> bool:
    """True with the capabilities that count, which root in a container may lack."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return os.geteuid() == 0
    held = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    return all(held >> one & 1 for one in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))


def _libbpf_version() -> str | None:
    try:
        from openfex.linux.libbpf_calls import library

        version: bytes = library().libbpf_version_string()
    except (OpenfexError, ImportError):
        return None
    return version.decode().removeprefix("v")


def _has_bpffs() -> bool:
    """True if it is mounted, or could be."""
    try:
        kinds = Path("/proc/filesystems").read_text(encoding="ascii").split()
    except OSError:
        return False
    return "bpf" in kinds and _BPFFS.is_dir()


def _try_netns() -> None:
    from openfex.linux import netns

    with netns.unnamed():
        pass


def _try_bpf() -> None:
    from openfex.linux.libbpf_program import Program

    Program.trivial().close()


def _try_clsact() -> None:
    from openfex.linux import netns
    from openfex.linux.libbpf_program import Program
    from openfex.linux.netlink import Netlink

    with netns.unnamed(), Netlink() as netlink, Program.trivial() as program:
        netlink.add_veth("probe0", "probe1", mtu=1500)
        netlink.add_clsact("probe0")
        netlink.attach("probe0", program.fd, label="probe", classid=1)


def _try_tap() -> None:
    from openfex.linux import netns, tap

    with netns.unnamed(), tap.open_tap("probe0"):
        pass
