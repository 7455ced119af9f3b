# SPDX-License-Identifier: Apache-2.0
"""Door to the XDP programs of a node, which stand beside those at tc on the devices that are asked to have them.

They are loaded when a device first needs them, and pinned beside the tc programs of the same build. They use the same
maps, and one of their own, `ingress`, which tells them what a filter's classid tells the others: the device's number.
A device gets its tc program first and loses it last, because XDP passes on to it what it does not do itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from openfex.datapath.abi import LAST_IFINDEX, U32
from openfex.datapath.node import MAPS, SIZED, Attachment, Node, check_sizes, room_for
from openfex.datapath.objects import TAP_PROGRAM, XDP_PROGRAMS, build_of, object_path
from openfex.errors import KernelError, NotFoundError, RefusedError, UnsupportedError
from openfex.linux.libbpf import Object, Program, program_by_id
from openfex.linux.links import Link
from openfex.linux.netlink import Netlink

INGRESS = "ingress"
TC_ALONE = {"rings", "ageing"}
"""The maps of a node that they do not share with its tc programs."""
_KERNEL_KEEPS = 15
"""Octets of a program's name."""
_OURS = frozenset(name[:_KERNEL_KEEPS] for names in (*XDP_PROGRAMS.values(), (TAP_PROGRAM,)) for name in names)
_NONE = -1


def attach_xdp(node: Node, netlink: Netlink, devices: Iterable[tuple[int, str]]) -> None:
    """Put the right XDP program on each device: (port number, device). An older one of ours is replaced in one step.

    Raises RefusedError (`xdp-not-possible`) where a device cannot have it in native mode: generic XDP would cost more
    than it saves, and is skipped for frames that were redirected before.
    """
    wanted = list(devices)
    if not wanted:
        return
    if not _is_loaded(node):
        _load(node)
    links = {link.name: link for link in netlink.links()}
    for _, device in wanted:
        if links[device].index > LAST_IFINDEX:
            raise _refuse(node, f"{device} is link {links[device].index}, above {LAST_IFINDEX}")
    told = [(U32.pack(links[device].index), U32.pack(node.told(port)[1])) for port, device in wanted]
    node.map(INGRESS).put_many(told)
    with _programs(node) as programs, ExitStack() as stack, _refusing(node), netlink.batch():
        for port, device in wanted:
            program = programs[f"xdp_{node.told(port)[0]}"]
            netlink.replace_xdp(device, program.fd, _expected(node, links[device], stack))


def detach_xdp(node: Node, netlink: Netlink, devices: Iterable[str]) -> None:
    """Take our XDP programs from devices, those of them that are still there."""
    links = {link.name: link for link in netlink.links()}
    with ExitStack() as stack, netlink.batch():
        for device in links.keys() & set(devices):
            if _is_ours(links[device].xdp):
                netlink.replace_xdp(device, _NONE, _expected(node, links[device], stack))


def xdp_attached(node: Node, links: Iterable[Link], attached: Iterable[Attachment]) -> dict[str, bool]:
    """Which of the devices have an XDP program of ours, and whether it is of this build and told the right number."""
    ports = {one.device: one.port for one in attached}
    there = [link for link in links if link.xdp and link.name in ports]
    if not there:
        return {}
    ids = _ids(node)
    found = {}
    for link in there:
        if link.xdp in ids:
            number = U32.pack(node.told(ports[link.name])[1])
            found[link.name] = node.map(INGRESS).get(U32.pack(link.index)) == number
        elif _is_ours(link.xdp):
            found[link.name] = False
    return found


def xdp_programs(node: Node) -> dict[int, str]:
    """The XDP programs that are pinned, by id."""
    return _ids(node)


def _is_loaded(node: Node) -> bool:
    folder = node.programs_folder(build_of(node.role))
    return (node.pins / INGRESS).exists() and all((folder / name).exists() for name in XDP_PROGRAMS[node.role])


def _load(node: Node) -> None:
    """Beside the tc programs, which are there. What a killed run has pinned of it is pinned anew."""
    pins = {name: node.pin(name) for name in (*MAPS[node.role], *SIZED[node.role], INGRESS) if name not in TC_ALONE}
    kept = {name: pin for name, pin in pins.items() if pin.exists()}
    folder = node.programs_folder(build_of(node.role))
    _, constants = room_for(node.role, node.rows)
    with Object.load(object_path(node.role, "xdp"), reuse=kept, constants=constants) as loaded:
        check_sizes(loaded.maps)
        if INGRESS not in kept:
            loaded.map(INGRESS).pin(pins[INGRESS])
        for name in XDP_PROGRAMS[node.role]:
            (folder / name).unlink(missing_ok=True)
            loaded.program(name).pin(folder / name)


@contextmanager
def _programs(node: Node) -> Iterator[Mapping[str, Program]]:
    folder = node.programs_folder(build_of(node.role))
    with ExitStack() as stack:
        yield {name: stack.enter_context(Program.pinned(folder / name)) for name in XDP_PROGRAMS[node.role]}


def _ids(node: Node) -> dict[int, str]:
    if not _is_loaded(node):
        return {}
    with _programs(node) as programs:
        return {program.id: name for name, program in programs.items()}


def _expected(node: Node, link: Link, stack: ExitStack) -> int:
    """A descriptor of the program that is there, if it is ours to replace."""
    if not link.xdp:
        return _NONE
    program = stack.enter_context(program_by_id(link.xdp))
    if program.name not in _OURS:
        raise _refuse(node, f"{link.name} has the XDP program {program.name}, which is not ours")
    return program.fd


def _is_ours(number: int) -> bool:
    try:
        with program_by_id(number) as program:
            return program.name in _OURS
    except NotFoundError:  # none at all, or replaced since it was seen
        return False


def _refuse(node: Node, why: str) -> RefusedError:
    remedy = "say `attachment: tc`, or `auto`, for its uplink"
    return RefusedError(f"native XDP cannot be had at {node.name}: {why}", code="xdp-not-possible", remedy=remedy)


@contextmanager
def _refusing(node: Node) -> Iterator[None]:
    try:
        yield
    except (KernelError, UnsupportedError) as cause:
        raise _refuse(node, cause.message) from cause
