# SPDX-License-Identifier: Apache-2.0
"""The C side of the door to libbpf.so.1: its functions, declared once, its structures, and what it says while it works.

Only symbols of LIBBPF_1.0 and older are declared, so Debian 12's 1.1 and everything newer will do. Since 1.0 every
function that returns an int returns a negative errno, and every one that returns a pointer returns NULL and sets
errno. The library is opened at the first use: importing this costs nothing and works where there is no libbpf.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from openfex.errors import NotFoundError, UnsupportedError
from openfex.linux.border import refusal

SONAME = "libbpf.so.1"

_INT, _U32, _U64, _SIZE = ctypes.c_int, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_size_t
_POINTER, _TEXT, _BOOL = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_bool

_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "libbpf_version_string": (_TEXT, ()),
    "libbpf_num_possible_cpus": (_INT, ()),
    "libbpf_set_print": (_POINTER, (_POINTER,)),
    "bpf_object__open_file": (_POINTER, (_TEXT, _POINTER)),
    "bpf_object__load": (_INT, (_POINTER,)),
    "bpf_object__close": (None, (_POINTER,)),
    "bpf_object__next_map": (_POINTER, (_POINTER, _POINTER)),
    "bpf_object__next_program": (_POINTER, (_POINTER, _POINTER)),
    "bpf_object__btf": (_POINTER, (_POINTER,)),
    "btf__find_by_name_kind": (_INT, (_POINTER, _TEXT, _U32)),
    "btf__type_by_id": (_POINTER, (_POINTER, _U32)),
    "btf__name_by_offset": (_TEXT, (_POINTER, _U32)),
    "bpf_map__name": (_TEXT, (_POINTER,)),
    "bpf_map__fd": (_INT, (_POINTER,)),
    "bpf_map__type": (_INT, (_POINTER,)),
    "bpf_map__key_size": (_U32, (_POINTER,)),
    "bpf_map__value_size": (_U32, (_POINTER,)),
    "bpf_map__set_max_entries": (_INT, (_POINTER, _U32)),
    "bpf_map__set_autocreate": (_INT, (_POINTER, _BOOL)),
    "bpf_map__reuse_fd": (_INT, (_POINTER, _INT)),
    "bpf_map__initial_value": (_POINTER, (_POINTER, _POINTER)),
    "bpf_program__name": (_TEXT, (_POINTER,)),
    "bpf_program__fd": (_INT, (_POINTER,)),
    "bpf_program__set_autoload": (_INT, (_POINTER, _BOOL)),
    "bpf_program__set_log_level": (_INT, (_POINTER, _U32)),
    "bpf_program__insns": (_POINTER, (_POINTER,)),
    "bpf_program__insn_cnt": (_SIZE, (_POINTER,)),
    "bpf_program__set_log_buf": (_INT, (_POINTER, _POINTER, _SIZE)),
    "bpf_obj_pin": (_INT, (_INT, _TEXT)),
    "bpf_obj_get": (_INT, (_TEXT,)),
    "bpf_obj_get_info_by_fd": (_INT, (_INT, _POINTER, _POINTER)),
    "bpf_enable_stats": (_INT, (_INT,)),
    "bpf_prog_load": (_INT, (_INT, _TEXT, _TEXT, _POINTER, _SIZE, _POINTER)),
    "bpf_prog_get_fd_by_id": (_INT, (_U32,)),
    "bpf_map_get_fd_by_id": (_INT, (_U32,)),
    "bpf_map_create": (_INT, (_INT, _TEXT, _U32, _U32, _U32, _POINTER)),
    "bpf_map_lookup_elem": (_INT, (_INT, _POINTER, _POINTER)),
    "bpf_map_update_elem": (_INT, (_INT, _POINTER, _POINTER, _U64)),
    "bpf_map_delete_elem": (_INT, (_INT, _POINTER)),
    "bpf_map_get_next_key": (_INT, (_INT, _POINTER, _POINTER)),
    "bpf_map_lookup_batch": (_INT, (_INT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "bpf_map_update_batch": (_INT, (_INT, _POINTER, _POINTER, _POINTER, _POINTER)),
    "bpf_prog_test_run_opts": (_INT, (_INT, _POINTER)),
    "perf_buffer__new_raw": (_POINTER, (_INT, _SIZE, _POINTER, _POINTER, _POINTER, _POINTER)),
    "perf_buffer__epoll_fd": (_INT, (_POINTER,)),
    "perf_buffer__consume": (_INT, (_POINTER,)),
    "perf_buffer__free": (None, (_POINTER,)),
}

_PRINT = ctypes.CFUNCTYPE(_INT, _INT, _TEXT, _POINTER)
_INFORMATION = 1
_LOG_ROOM = 16 << 20
"""The largest verifier log that libbpf asks the kernel for."""
_TAIL = 15

_said: list[str] = []


class TestRunOptions(ctypes.Structure):
    """`struct bpf_test_run_opts`."""

    sz: int
    data_in: int | None
    data_out: int | None
    data_size_in: int
    data_size_out: int
    ctx_in: int | None
    ctx_out: int | None
    ctx_size_in: int
    ctx_size_out: int
    retval: int
    repeat: int
    duration: int
    flags: int
    cpu: int
    batch_size: int

    _fields_ = (
        ("sz", _SIZE),
        ("data_in", _POINTER),
        ("data_out", _POINTER),
        ("data_size_in", _U32),
        ("data_size_out", _U32),
        ("ctx_in", _POINTER),
        ("ctx_out", _POINTER),
        ("ctx_size_in", _U32),
        ("ctx_size_out", _U32),
        ("retval", _U32),
        ("repeat", _INT),
        ("duration", _U32),
        ("flags", _U32),
        ("cpu", _U32),
        ("batch_size", _U32),
    )


class MapCreateOptions(ctypes.Structure):
    """`struct bpf_map_create_opts`."""

    sz: int
    inner_map_fd: int

    _fields_ = (
        ("sz", _SIZE),
        ("btf_fd", _U32),
        ("btf_key_type_id", _U32),
        ("btf_value_type_id", _U32),
        ("btf_vmlinux_value_type_id", _U32),
        ("inner_map_fd", _U32),
        ("map_flags", _U32),
        ("map_extra", _U64),
        ("numa_node", _U32),
        ("map_ifindex", _U32),
    )


@dataclass(frozen=True, slots=True)
class MapInfo:
    """The head of `struct bpf_map_info`."""

    type: int
    id: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """What `struct bpf_prog_info` tells of a loaded program."""

    type: int
    id: int
    name: str
    instructions: int
    """Instructions as the kernel runs them (before its compiler), 8 octets each."""
    verified_instructions: int
    """Steps that the verifier took; 1,000,000 is its limit."""
    run_time_ns: int
    run_count: int
    """Both stand still unless the sysctl kernel.bpf_stats_enabled is 1, or somebody is in `counting_time`."""
    map_count: int


class Held:
    """A map or program that is open; the file descriptor is this object's own, and goes with `close`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; the kernel ends it when no process, no pin and nothing it is attached to or used by has it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def pin(self, path: Path) -> None:
        """Keep it alive by a file: `bpftool map pin id N PATH`, `bpftool prog pin id N PATH`."""
        check(int(library().bpf_obj_pin(self.fd, bytes(path))), f"pin {path}")


_MAP_INFO = struct.Struct("=6I16s")
_PROGRAM_INFO = struct.Struct("=II8sIIQQQIIQ16sIIQQIIQQIIQIIQQIIIIQQQQI")
_WANTED_MAPS = struct.Struct("=IQ")
_WANTED_MAPS_AT = struct.calcsize("=II8sIIQQQI")


@functools.cache
def library() -> ctypes.CDLL:
    """The library with its functions declared. Raises UnsupportedError where it is not installed."""
    try:
        found = ctypes.CDLL(SONAME, use_errno=True)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(found, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as cause:
        message = f"{SONAME} cannot be used: {cause}"
        raise UnsupportedError(message, code="no-libbpf", remedy="apt-get install libbpf1") from cause
    found.libbpf_set_print(ctypes.cast(_listener, ctypes.c_void_p))
    return found


def check(result: int, action: str, missing: str = "") -> int:
    """The result of a call if it is one; else its errno as an error. `missing` is what ENOENT means here."""
    if result >= 0:
        return result
    if result == -errno.ENOENT and missing:
        raise NotFoundError(missing)
    raise refusal(-result, action)


def map_info(fd: int) -> MapInfo:
    """What the kernel says of a map: `bpftool map show`."""
    kind, number, key, value, entries, flags, name = _MAP_INFO.unpack(_info(fd, bytearray(_MAP_INFO.size)))
    return MapInfo(kind, number, key, value, entries, flags, name.split(b"\0", 1)[0].decode())


def program_info(fd: int) -> ProgramInfo:
    """What the kernel says of a program: `bpftool prog show`."""
    found = _PROGRAM_INFO.unpack(_info(fd, bytearray(_PROGRAM_INFO.size)))
    return ProgramInfo(
        type=found[0],
        id=found[1],
        name=found[11].split(b"\0", 1)[0].decode(),
        instructions=found[4] // 8,
        verified_instructions=found[-1],
        run_time_ns=found[-4],
        run_count=found[-3],
        map_count=found[9],
    )


def program_map_ids(fd: int, count: int) -> tuple[int, ...]:
    """The ids of the maps that a program uses."""
    ids = (ctypes.c_uint32 * count)()
    asked = bytearray(_PROGRAM_INFO.size)
    _WANTED_MAPS.pack_into(asked, _WANTED_MAPS_AT, count, ctypes.addressof(ids))
    _info(fd, asked)
    return tuple(ids)


def open_pin(path: Path) -> int:
    """A file descriptor of what is pinned at `path`. Raises NotFoundError."""
    result = int(library().bpf_obj_get(bytes(path)))
    return check(result, f"open the pin {path}", f"nothing is pinned at {path}")


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect what libbpf says in the block, the verifier's log with it."""
    _said.clear()
    yield _said


def last_words(said: list[str]) -> str:
    """The end of what libbpf said, where the reason is."""
    return "\n".join("".join(said).rstrip().splitlines()[-_TAIL:])


def _info(fd: int, room: bytearray) -> bytes:
    """The kernel's answer to the question in `room`, which zeroes ask for everything that needs no further room."""
    length = ctypes.c_uint32(len(room))
    there = (ctypes.c_char * len(room)).from_buffer(room)
    check(int(library().bpf_obj_get_info_by_fd(fd, there, ctypes.byref(length))), f"ask about BPF descriptor {fd}")
    return bytes(there)


@functools.cache
def _log() -> mmap.mmap:
    return mmap.mmap(-1, _LOG_ROOM)


def _listen(level: int, form: bytes, arguments: int) -> int:
    """What libbpf calls to say something: printf's arguments, so the C library has to put them together."""
    if level > _INFORMATION:
        return 0
    room = (ctypes.c_char * _LOG_ROOM).from_buffer(_log())
    _vsnprintf(room, _LOG_ROOM, form, arguments)
    text = _log()[: _log().find(b"\0")]
    _said.append(text.decode(errors="replace"))
    return 0


_vsnprintf = ctypes.CDLL(None).vsnprintf
_vsnprintf.argtypes = (_POINTER, _SIZE, _TEXT, _POINTER)
_listener = _PRINT(_listen)
"""Held here for ever: libbpf keeps its address."""
