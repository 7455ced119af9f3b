# SPDX-License-Identifier: Apache-2.0
"""What the facts of a machine mean: each line good, limited (and what is lost) or bad (and what mends it). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from openfex.lab.view.sight import Row
from openfex.linux.facts import LARGEST_MTU, OFFLOADS, Facts

OLDEST_KERNEL = (6, 1)
ENOUGH_BACKLOG = 10_000
IN_A_CONTAINER = "in a container: run it privileged"
TOOLS = {
    "ip": ("iproute2", "the bench's peers"),
    "iperf3": ("iperf3", "the proof tcp-throughput and the bench"),
    "sockperf": ("sockperf", "the bench's round trips"),
    "nft": ("nftables", "the bench's peer with a policy"),
    "tshark": ("tshark", "looking at captures; tests"),
    "bpftool": ("bpftool", "looking at programs and maps; tests"),
    "qemu-system-x86_64": ("qemu-system-x86", "machines of type qemu"),
}
"""Program -> its Debian package, and what it is used for."""


@dataclass(frozen=True)
class Check:
    """`state`: good, limited or bad. `lost`: what cannot be done. `remedy`: what mends it."""

    what: str
    state: str
    found: str
    lost: str = ""
    remedy: str = ""

    @property
    def row(self) -> Row:
        """As it is shown."""
        return {one: getattr(self, one) for one in ("what", "state", "found", "lost", "remedy")}


def examine(facts: Facts) -> list[Check]:
    """All checks: first what frames need, then what single things need."""
    return [*_needed(facts), *_wanted(facts), *_tools(facts)]


def is_able(checks: list[Check]) -> bool:
    """Whether frames can be forwarded on this machine."""
    return all(one.state != "bad" for one in checks)


def check_kvm(runs: bool | None) -> Check:
    """Whether virtual machines run at the speed of this machine; None: nobody has tried yet."""
    found = {True: "runs a kernel", False: "runs no kernel here", None: "not tried: the first virtual machine does"}
    mend = "a machine whose processor virtualises"
    check = Check("KVM", "limited", found[runs], "speed of virtual machines: they are interpreted (TCG)", mend)
    return _judge(runs is not False, check)


def _judge(good: bool, otherwise: Check) -> Check:
    return replace(otherwise, state="good", lost="", remedy="") if good else otherwise


def _needed(facts: Facts) -> Iterator[Check]:
    can, lost = facts.can, "no frame can be forwarded; only `fex demo --engine reference` runs"
    newer = "apt-get install linux-image-amd64, then restart: 6.1 or newer"
    yield _judge(facts.version >= OLDEST_KERNEL, Check("kernel", "bad", facts.release, lost, newer))
    root = "yes" if can.root else "no, or without its capabilities"
    yield _judge(can.root, Check("root", "bad", root, lost, "sudo fex …"))
    yield _judge(can.netns, Check("name spaces", "bad", _can(can.netns, "made"), lost, IN_A_CONTAINER))
    libbpf = Check("libbpf", "bad", can.libbpf or "not there", lost, "apt-get install libbpf1")
    yield _judge(can.libbpf is not None, libbpf)
    config = f"{IN_A_CONTAINER}; the kernel needs CONFIG_BPF_SYSCALL"
    yield _judge(can.bpf, Check("BPF", "bad", _can(can.bpf, "loaded"), lost, config))
    yield _judge(can.bpffs, Check("BPF file system", "bad", _there(can.bpffs), lost, "mount -t bpf bpf /sys/fs/bpf"))
    modules = "modprobe -a sch_ingress cls_bpf"
    yield _judge(can.clsact, Check("clsact", "bad", _can(can.clsact, "attached"), lost, modules))
    objects = Check("compiled programs", "bad", facts.objects or "there", lost, "python bpf/build.py in the clone")
    yield _judge(not facts.objects, objects)


def _can(can: bool, verb: str) -> str:
    return f"{'can' if can else 'cannot'} be {verb}"


def _there(there: bool) -> str:
    return "there" if there else "not there"


def _wanted(facts: Facts) -> Iterator[Check]:
    if facts.can.netns:
        yield from _devices(facts)
    else:  # nothing could be made to try it on
        yield Check("devices", "limited", "not tried", "what TAPs, MTUs and offloads can do", "see name spaces")
    yield Check("memory lock", "good", "no limit: from Linux 5.11 on the control group's memory counts")
    yield _bridge_filter(facts)
    lost = "floods to hundreds of NICs of a lab at once: counted as not-sent"
    remedy = f"sysctl net.core.netdev_max_backlog={ENOUGH_BACKLOG}"
    backlog = Check("backlog", "limited", f"{facts.backlog} frames may wait for a CPU", lost, remedy)
    yield _judge(facts.backlog >= ENOUGH_BACKLOG, backlog)


def _devices(facts: Facts) -> Iterator[Check]:
    tap = Check("TAP", "limited", _can(facts.can.tap, "made"), "functions of virtual machines", "modprobe tun")
    yield _judge(facts.can.tap, tap)
    mtu = f"a veth takes {'' if facts.largest_mtu else 'less than '}{LARGEST_MTU}"
    yield _judge(facts.largest_mtu, Check("MTU", "limited", mtu, "large MTUs", "a newer kernel"))
    yield _offloads(facts)


def _offloads(facts: Facts) -> Check:
    missing = [one for one in OFFLOADS if one not in facts.offloads]
    found = f"a veth lacks {', '.join(missing)}" if missing else "a veth has all that are used"
    lost = "speed: super-frames are cut before the path"
    return _judge(not missing, Check("offloads", "limited", found, lost, "a newer kernel"))


def _bridge_filter(facts: Facts) -> Check:
    """Frames of ours do not pass it, those of Linux bridges do: the demo's and the bench's peers are slower then."""
    on = facts.bridge_filter not in (None, "0")
    found = "not loaded" if facts.bridge_filter is None else "on" if on else "off"
    remedy = "sysctl net.bridge.bridge-nf-call-iptables=0"
    return _judge(not on, Check("br_netfilter", "limited", found, "speed of Linux bridges, not ours", remedy))


def _tools(facts: Facts) -> Iterator[Check]:
    for name, path in facts.tools.items():
        package, use = TOOLS[name]
        yield _judge(path is not None, Check(name, "limited", path or "not there", use, f"apt-get install {package}"))
