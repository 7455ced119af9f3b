# SPDX-License-Identifier: Apache-2.0
"""Door to BPF: objects that clang compiled, loaded with libbpf.so.1 through ctypes; their maps and programs.

`Object.load` opens the file, lets the caller size, reuse or leave out maps and set constants, hands all to the
kernel, and keeps only file descriptors: of libbpf nothing stays behind. When the verifier refuses, the error
carries the end of its log.
"""

from __future__ import annotations

import ctypes
import fcntl
import re
import struct
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from openfex.errors import InputError, KernelError, NotFoundError, UnsupportedError
from openfex.linux import libc
from openfex.linux.border import crossing, refusal
from openfex.linux.libbpf_calls import ProgramInfo, check, last_words, library, listening, open_pin, program_info
from openfex.linux.libbpf_map import Map, MapType, possible_cpus, wait_for_programs
from openfex.linux.libbpf_program import Program, TestRun, counting_time, map_ids_of_program, program_by_id

__all__ = [
    "Map",
    "MapType",
    "Object",
    "Program",
    "ProgramInfo",
    "TestRun",
    "Verification",
    "bpf_filesystem",
    "counting_time",
    "map_ids_of_program",
    "possible_cpus",
    "program_by_id",
    "verify",
    "wait_for_programs",
]

_BPFFS = Path("/sys/fs/bpf")
_BTF_KIND_DATASEC = 15
_BTF_TYPE = struct.Struct("=III")
_SECTIONS = (".rodata", ".data", ".bss")
_STATISTICS = 4
"""The level (BPF_LOG_STATS) at which the verifier tells what a program took, but not its walk."""
_STATISTICS_ROOM = 1 << 14
_STACK = re.compile(r"^stack depth ([\d+]+)", re.MULTILINE)
_INSTRUCTION_OCTETS = 8


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What `Object.load` does differently from what the file says."""

    max_entries: Mapping[str, int] = field(default_factory=dict)
    reuse: Mapping[str, Path] = field(default_factory=dict)
    skip_maps: Collection[str] = ()
    only: Collection[str] | None = None
    constants: Mapping[str, int | bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verification:
    """What the verifier and the kernel say of a program while it is loaded."""

    steps: int
    """Instructions that the verifier walked; 1,000,000 is its limit."""
    instructions: int
    """Instructions as the kernel runs them, before its compiler."""
    code: bytes
    """The instructions as they were given to it: the program's own, then those of its functions."""
    frames: tuple[int, ...]
    """Octets of stack of the program and of each of its functions, in the order of the code."""


class Object:
    """The maps and programs of one loaded file, by name; closed with it, they live on where pinned or attached."""

    def __init__(self, maps: dict[str, Map], programs: dict[str, Program]) -> None:
        self.maps = maps
        self.programs = programs

    @classmethod
    def load(  # noqa: PLR0913 -- each a part of the one thing that loading is
        cls,
        path: Path,
        *,
        max_entries: Mapping[str, int] | None = None,
        reuse: Mapping[str, Path] | None = None,
        skip_maps: Collection[str] = (),
        only: Collection[str] | None = None,
        constants: Mapping[str, int | bytes] | None = None,
    ) -> Object:
        """Load a file: `bpftool prog loadall PATH ...`, without pinning.

        `max_entries` sizes maps; `reuse` takes pinned maps in place of new ones; `skip_maps` are not made; `only` are
        the programs to load (None: all); `constants` sets global variables, `const volatile` ones included, before the
        verifier sees them. A name that the file does not have is an InputError.
        """
        options = LoadOptions(max_entries or {}, reuse or {}, skip_maps, only, constants or {})
        with listening() as said, _opened(path, said) as handle:
            _prepare(handle, options)
            result = int(library().bpf_object__load(handle))
            if result < 0:
                raise refusal(-result, f"load {path.name}", last_words(said))
            return cls(_maps(handle), _programs(handle))

    def __enter__(self) -> Object:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every map and program."""
        for one in self.maps.values():
            one.close()
        for program in self.programs.values():
            program.close()

    def map(self, name: str) -> Map:
        """A map by its name in the source; `.bss`, `.data` and `.rodata` are maps too. Raises NotFoundError."""
        if name in _SECTIONS:
            name = next((full for full in self.maps if full.endswith(name)), name)
        if name not in self.maps:
            raise NotFoundError(f"there is no map {name} among {', '.join(self.maps) or 'none'}", code="map-not-found")
        return self.maps[name]

    def program(self, name: str) -> Program:
        """A program by its name in the source. Raises NotFoundError."""
        if name not in self.programs:
            message = f"there is no program {name} among {', '.join(self.programs) or 'none'}"
            raise NotFoundError(message, code="program-not-found")
        return self.programs[name]


def verify(path: Path) -> dict[str, Verification]:
    """Have every program of a file verified, and keep none of it loaded: `bpftool -d prog loadall PATH ...`."""
    lib = library()
    with listening() as said, _opened(path, said) as handle:
        logs = {name: ctypes.create_string_buffer(_STATISTICS_ROOM) for name, _ in _each(handle, "program")}
        for name, one in _each(handle, "program"):
            check(int(lib.bpf_program__set_log_level(one, _STATISTICS)), f"have {name} measured")
            check(int(lib.bpf_program__set_log_buf(one, logs[name], _STATISTICS_ROOM)), f"have {name} measured")
        result = int(lib.bpf_object__load(handle))
        if result < 0:
            said += [log.value.decode(errors="replace") for log in logs.values()]
            raise refusal(-result, f"load {path.name}", last_words(said))
        return {name: _verification(name, one, logs[name].value) for name, one in _each(handle, "program")}


def _verification(name: str, handle: int, log: bytes) -> Verification:
    lib = library()
    told = _STACK.search(log.decode(errors="replace"))
    if told is None:
        raise KernelError(f"the verifier does not tell what stack {name} takes")
    info = program_info(int(lib.bpf_program__fd(handle)))
    octets = int(lib.bpf_program__insn_cnt(handle)) * _INSTRUCTION_OCTETS
    code = ctypes.string_at(lib.bpf_program__insns(handle), octets)
    return Verification(info.verified_instructions, info.instructions, code, tuple(map(int, told[1].split("+"))))


def bpf_filesystem() -> Path:
    """Where maps and programs are pinned, mounted if it is not: `mount -t bpf bpf /sys/fs/bpf`."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.split()[1:3] == [str(_BPFFS), "bpf"]:
            return _BPFFS
    try:
        libc.mount("bpf", _BPFFS, "bpf", data="mode=0700")
    except OSError as cause:
        message = f"there is no BPF file system at {_BPFFS}, and it cannot be mounted: {cause.strerror}"
        remedy = f"as root: mount -t bpf bpf {_BPFFS}"
        raise UnsupportedError(message, code="no-bpffs", remedy=remedy) from cause
    return _BPFFS


@contextmanager
def _opened(path: Path, said: list[str]) -> Iterator[int]:
    lib = library()
    with crossing(f"read {path}"):
        path.open("rb").close()
    handle = lib.bpf_object__open_file(bytes(path), None)
    if not handle:
        raise refusal(ctypes.get_errno(), f"open {path}", last_words(said))
    try:
        yield handle
    finally:
        lib.bpf_object__close(handle)


def _prepare(handle: int, options: LoadOptions) -> None:
    """Apply the options to an object that is open and not yet loaded."""
    lib = library()
    maps = dict(_each(handle, "map"))
    programs = dict(_each(handle, "program"))
    _known("map", maps, {*options.max_entries, *options.reuse, *options.skip_maps})
    _known("program", programs, options.only or ())
    for name, count in options.max_entries.items():
        check(int(lib.bpf_map__set_max_entries(maps[name], count)), f"give map {name} {count} entries")
    for name, pinned in options.reuse.items():
        _reuse(name, maps[name], pinned)
    for name in options.skip_maps:
        check(int(lib.bpf_map__set_autocreate(maps[name], False)), f"leave out map {name}")
    for name, program in programs.items():
        if options.only is not None:
            check(int(lib.bpf_program__set_autoload(program, name in options.only)), f"choose program {name}")
    for name, value in options.constants.items():
        _set_variable(handle, maps, name, value)


def _each(handle: int, what: str) -> Iterator[tuple[str, int]]:
    """The maps or programs of an object, with their names."""
    lib = library()
    following, name_of = getattr(lib, f"bpf_object__next_{what}"), getattr(lib, f"bpf_{what}__name")
    one = following(handle, None)
    while one:
        yield name_of(one).decode(), one
        one = following(handle, one)


def _known(what: str, there: Collection[str], asked: Collection[str]) -> None:
    for name in asked:
        if name not in there:
            message = f"the object has no {what} {name}; it has {', '.join(sorted(there)) or 'none'}"
            raise InputError(message, code=f"no-such-{what}")


def _reuse(name: str, handle: int, path: Path) -> None:
    """Compare the shapes first: libbpf would take that of the pin without a word."""
    lib = library()
    wanted = tuple(int(getattr(lib, f"bpf_map__{part}")(handle)) for part in ("type", "key_size", "value_size"))
    with Map(open_pin(path)) as pinned:
        found = (pinned.type, pinned.key_size, pinned.value_size)
        if found != wanted:
            message = f"map {name} has (type, key, value) {wanted}, but what is pinned at {path} has {found}"
            raise KernelError(message, code="map-differs", remedy="remove the pin, or load the object it came from")
        check(int(lib.bpf_map__reuse_fd(handle, pinned.fd)), f"reuse the map at {path}")


def _set_variable(handle: int, maps: Mapping[str, int], name: str, value: int | bytes) -> None:
    """Write a global variable into the first contents of its section, which libbpf holds until it loads."""
    lib = library()
    section, offset, size = _variable(handle, name)
    octets = value if isinstance(value, bytes) else value.to_bytes(size, sys.byteorder, signed=value < 0)
    if len(octets) != size:
        raise InputError(f"variable {name} has {size} octets, not {len(octets)}", code="bad-constant")
    room = ctypes.c_size_t()
    start = lib.bpf_map__initial_value(next(maps[one] for one in maps if one.endswith(section)), ctypes.byref(room))
    if not start or offset + size > room.value:
        raise KernelError(f"cannot set variable {name}: section {section} has no contents to write to")
    ctypes.memmove(start + offset, octets, size)


def _variable(handle: int, name: str) -> tuple[str, int, int]:
    """Section, offset and size of a global variable, from the object's BTF."""
    lib = library()
    btf = lib.bpf_object__btf(handle)
    for section in _SECTIONS:
        found = lib.btf__find_by_name_kind(btf, section.encode(), _BTF_KIND_DATASEC) if btf else -1
        if found < 0:
            continue
        at = lib.btf__type_by_id(btf, found)
        _, info, _ = _BTF_TYPE.unpack(ctypes.string_at(at, _BTF_TYPE.size))
        members = ctypes.string_at(at + _BTF_TYPE.size, (info & 0xFFFF) * _BTF_TYPE.size)
        for kind, offset, size in _BTF_TYPE.iter_unpack(members):
            named = _BTF_TYPE.unpack(ctypes.string_at(lib.btf__type_by_id(btf, kind), _BTF_TYPE.size))[0]
            if lib.btf__name_by_offset(btf, named) == name.encode():
                return section, offset, size
    raise InputError(f"the object has no global variable {name}", code="no-such-variable")


def _maps(handle: int) -> dict[str, Map]:
    lib = library()
    return {name: Map(_own(fd), name) for name, one in _each(handle, "map") if (fd := int(lib.bpf_map__fd(one))) >= 0}


def _programs(handle: int) -> dict[str, Program]:
    lib = library()
    found = ((name, int(lib.bpf_program__fd(one))) for name, one in _each(handle, "program"))
    return {name: Program(_own(fd), name) for name, fd in found if fd >= 0}


def _own(fd: int) -> int:
    """A second descriptor, which outlives libbpf's object."""
    with crossing("keep a BPF descriptor"):
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
