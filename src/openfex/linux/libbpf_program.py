# SPDX-License-Identifier: Apache-2.0
"""BPF programs from user space: what they are, pins, and running one on a frame without a wire (BPF_PROG_TEST_RUN)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import InputError
from openfex.linux.border import refusal
from openfex.linux.libbpf_calls import (
    Held,
    ProgramInfo,
    TestRunOptions,
    check,
    library,
    open_pin,
    program_info,
    program_map_ids,
)

_SCHED_CLS = 3
_RUN_TIME = 0
_LIVE_FRAMES = 1 << 1
_XDP_CONTEXT = struct.Struct("=6I")
_CONTEXT_ROOM = 256
_GROWTH = 256


@dataclass(frozen=True, slots=True)
class TestRun:
    """What a program made of a frame."""

    __test__ = False

    retval: int
    data: bytes
    context: bytes
    """`struct __sk_buff` or `struct xdp_md` afterwards; empty if none was given."""
    duration_ns: int
    """Mean of the repetitions."""


class Program(Held):
    """A program that is loaded."""

    def __init__(self, fd: int, name: str | None = None) -> None:
        """Take over `fd`; `name` is the program's whole name, of which the kernel keeps 15 octets."""
        super().__init__(fd)
        info = program_info(fd)
        self.name = info.name if name is None else name
        self.type = info.type
        self.id = info.id
        self.instructions = info.instructions
        self.verified_instructions = info.verified_instructions
        self._lib = library()
        self._after = ctypes.create_string_buffer(0)
        self._context_after = ctypes.create_string_buffer(_CONTEXT_ROOM)

    @classmethod
    def trivial(cls) -> Program:
        """A tc program of two instructions that lets every frame pass (TC_ACT_OK), to try things with."""
        code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
        lib = library()
        fd = int(lib.bpf_prog_load(_SCHED_CLS, b"fex_trivial", b"GPL", code, len(code) // 8, None))
        return cls(check(fd, "load a BPF program"))

    @classmethod
    def pinned(cls, path: Path) -> Program:
        """A program by its pin: `bpftool prog show pinned PATH`. Raises NotFoundError."""
        return cls(open_pin(path))

    def info(self) -> ProgramInfo:
        """What the kernel says of it now, run time and run count included: `bpftool prog show id N`."""
        return program_info(self.fd)

    def map_ids(self) -> tuple[int, ...]:
        """The ids of the maps it uses."""
        return program_map_ids(self.fd, program_info(self.fd).map_count)

    def test_run(self, data: bytes, *, context: bytes | None = None, repeat: int = 1, room: int = 4096) -> TestRun:
        """Run it on a frame, `repeat` times over: `bpftool prog run id N data_in FILE`.

        There are `room` octets for the frame afterwards, and at least 256 more than it had. The context is a
        `struct __sk_buff` or `struct xdp_md`; the kernel refuses (EINVAL) values in fields that it does not take over,
        tc_classid among them: say the port by mark or cb.
        """
        room = max(room, len(data) + _GROWTH)
        if len(self._after) < room:
            self._after = ctypes.create_string_buffer(room)
        options = _options(data, context)
        options.data_out, options.data_size_out = ctypes.addressof(self._after), room
        if context is not None:
            options.ctx_out, options.ctx_size_out = ctypes.addressof(self._context_after), _CONTEXT_ROOM
        options.repeat = repeat
        result = int(self._lib.bpf_prog_test_run_opts(self.fd, ctypes.byref(options)))
        if result == -errno.ENOSPC:
            message = f"the frame after {self.name} has {options.data_size_out} octets, more than the room of {room}"
            raise InputError(message, code="no-room", remedy="give a larger room")
        check(result, f"run {self.name} on a frame of {len(data)} octets")
        return TestRun(
            retval=options.retval,
            data=ctypes.string_at(self._after, options.data_size_out),
            context=b"" if context is None else ctypes.string_at(self._context_after, options.ctx_size_out),
            duration_ns=options.duration,
        )

    def send_live(self, frame: bytes, *, ifindex: int, repeat: int, batch: int = 64) -> None:
        """Let an XDP program handle a frame `repeat` times as if it came in on a link, and act (TX, REDIRECT, PASS).

        The link is one of this thread's name space (`netns.entered`). Frames are sent `batch` at a time.
        """
        context = _XDP_CONTEXT.pack(0, len(frame), 0, ifindex, 0, 0)
        options = _options(frame, context)
        options.repeat, options.flags, options.batch_size = repeat, _LIVE_FRAMES, batch
        result = int(self._lib.bpf_prog_test_run_opts(self.fd, ctypes.byref(options)))
        if result < 0:
            raise refusal(-result, f"send {repeat} frames of {len(frame)} octets through {self.name} at link {ifindex}")


@contextmanager
def counting_time() -> Iterator[None]:
    """Have the kernel count run times and runs of all programs in the block: BPF_ENABLE_STATS. It ends with us."""
    fd = check(int(library().bpf_enable_stats(_RUN_TIME)), "have run times counted")
    try:
        yield
    finally:
        os.close(fd)


def program_by_id(number: int) -> Program:
    """A program by its id: `bpftool prog show id N`. Raises NotFoundError."""
    missing = f"there is no program {number}"
    return Program(check(int(library().bpf_prog_get_fd_by_id(number)), f"open program {number}", missing))


def map_ids_of_program(number: int) -> tuple[int, ...]:
    """The ids of the maps that a program uses: `bpftool prog show id N`. Raises NotFoundError."""
    with program_by_id(number) as program:
        return program.map_ids()


def _options(data: bytes, context: bytes | None) -> TestRunOptions:
    """Options that point into `data` and `context`, which the caller keeps alive."""
    options = TestRunOptions()
    options.sz = ctypes.sizeof(options)
    options.data_in, options.data_size_in = _address(data), len(data)
    if context is not None:
        options.ctx_in, options.ctx_size_in = _address(context), len(context)
    return options


def _address(octets: bytes) -> int | None:
    return ctypes.cast(ctypes.c_char_p(octets), ctypes.c_void_p).value
