# SPDX-License-Identifier: Apache-2.0
"""Where captured frames go: a line each for people or programs, or pcapng."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from openfex import __version__
from openfex.cli.arguments import STANDARD_INPUT
from openfex.cli.paper import print_json
from openfex.lab.capture import Sighting
from openfex.lab.points import Point
from openfex.lab.view.frames import direction_of, frame_comment, frame_line, frame_row
from openfex.model.layout import Layout
from openfex.wire.pcapng import (
    Packet,
    enhanced_packet,
    interface_description,
    interface_statistics,
    section_header,
)


@dataclass(frozen=True, slots=True)
class Output:
    """What was asked for: pcapng into `file` (`-`: stdout), or lines on stdout; if nothing, what suits stdout."""

    file: str | None
    text: bool
    json: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What is captured: points of a lab, and so many octets of a frame at most."""

    layout: Layout
    points: Sequence[Point]
    snap: int


class Writer(Protocol):
    """Takes frames one by one."""

    def write(self, one: Sighting) -> None:
        """Take a frame."""

    def flush(self) -> None:
        """Let what was taken be seen."""

    def close(self, lost: int) -> None:
        """No more frames; so many are missing."""


class _LineWriter:
    """A line a frame on stdout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def flush(self) -> None:
        sys.stdout.flush()

    def close(self, lost: int) -> None:
        self.flush()


class TextWriter(_LineWriter):
    """For people."""

    def write(self, one: Sighting) -> None:
        """Take a frame."""
        print(frame_line(self._layout, one))


class JsonWriter(_LineWriter):
    """For programs."""

    def write(self, one: Sighting) -> None:
        """Take a frame."""
        print_json(frame_row(self._layout, one), one_line=True)


class PcapngWriter:
    """Pcapng; each point is an interface."""

    def __init__(self, file: BinaryIO, scene: Scene) -> None:
        """Begin the file, so that a reader of a pipe knows at once what it gets."""
        self._file = file
        self._layout = scene.layout
        self._numbers = {point: number for number, point in enumerate(scene.points)}
        file.write(section_header(f"openfex {__version__}"))
        for point in scene.points:
            what = f"{point.kind} {point.node} of lab {scene.layout.lab}"
            file.write(interface_description(point.name, what, scene.snap))
        file.flush()

    def write(self, one: Sighting) -> None:
        """Take a frame."""
        packet = Packet(
            interface=self._numbers[one.point],
            time_ns=one.time_ns,
            octets=one.frame.octets,
            length=one.frame.length,
            outbound=direction_of(one) == "out",
            comment=frame_comment(self._layout, one),
        )
        self._file.write(enhanced_packet(packet))

    def flush(self) -> None:
        """Let what was taken be seen."""
        self._file.flush()

    def close(self, lost: int) -> None:
        """End the file with what is missing in it."""
        self._file.write(interface_statistics(0, time.time_ns(), lost))
        self._file.flush()


@contextmanager
def open_writer(output: Output, scene: Scene) -> Iterator[Writer]:
    """The writer for what was asked: on a terminal lines, into a pipe pcapng, if nothing was."""
    if output.file and output.file != STANDARD_INPUT:
        with Path(output.file).open("wb") as file:
            yield PcapngWriter(file, scene)
    elif output.json:
        yield JsonWriter(scene.layout)
    elif output.text or (output.file is None and sys.stdout.isatty()):
        yield TextWriter(scene.layout)
    else:
        yield PcapngWriter(sys.stdout.buffer, scene)
