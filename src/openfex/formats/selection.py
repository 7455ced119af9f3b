# SPDX-License-Identifier: Apache-2.0
"""Which PFs a file is about, and what a document about them is called.

A selection is carried over whole or not at all: with one of its conditions left out it would select more than meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product

from openfex.formats.report import Report, Said
from openfex.formats.values import literal, pci_address
from openfex.model.functions import AdapterWish, Selector
from openfex.model.names import DEVICE, LONGEST_DEVICE, LONGEST_NAME

MOST_SELECTORS = 1000
_OTHER = re.compile("[^a-z0-9]+")


@dataclass
class Selection:
    """What PFs have to have: one of the names, one of the addresses, one of the drivers, and all the rest."""

    names: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    drivers: list[str] = field(default_factory=list)
    vendor: str = ""
    device: str = ""
    whole: bool = True
    """False once a condition was found that cannot be carried over."""

    def lose(self, report: Report, said: Said, why: str) -> None:
        """A condition that cannot be carried over."""
        self.whole = False
        report.note("which-pf", said, why)

    def take_names(self, report: Report, said: Said, words: Iterable[str]) -> None:
        """Names of network devices, any of them."""
        for word in words:
            if not literal(word):
                self.lose(report, said, "patterns are not possible here: name each PF")
            elif is_device(word):
                self.names.append(word)
            else:
                self.lose(report, said, "no network device of this name can be written here")

    def take_drivers(self, report: Report, said: Said, words: Iterable[str]) -> None:
        """Drivers of the PF, any of them."""
        for word in words:
            if is_device(word):
                self.drivers.append(word)
            else:
                self.lose(report, said, "neither patterns nor such names are possible here: name each driver")

    def take_paths(self, report: Report, said: Said, words: Iterable[str]) -> None:
        """Persistent paths as udev has them (ID_PATH), any of them: those of PCI name an address."""
        for word in words:
            if address := pci_address(word.removeprefix("pci-")) if word.startswith("pci-") else "":
                self.addresses.append(address)
            else:
                self.lose(report, said, "only pci-DOMAIN:BUS:DEVICE.FUNCTION names one PF")

    def selectors(self, report: Report, said: Said) -> tuple[Selector, ...]:
        """The selectors, none if not all could be carried over; `said` is what stands for the selection as a whole."""
        names = self.names
        if names and self.addresses:
            names = []
            report.note("condition", said, f"an address is one PF; that it is called {self.names[0]} is not asked here")
        choices = [list(dict.fromkeys(one)) or [""] for one in (self.addresses, names, self.drivers)]
        if len(choices[0]) * len(choices[1]) * len(choices[2]) > MOST_SELECTORS:
            message = f"selects by more than {MOST_SELECTORS} combinations of names, addresses and drivers"
            report.fault("too-many-pfs", said, message, "write a file for each PF")
            return ()
        every = [
            Selector(address, name, self.vendor, self.device, driver) for address, name, driver in product(*choices)
        ]
        if not self.whole:
            return ()
        if every == [Selector()]:
            report.note("which-pf", said, "the file does not say which PF it is about: fill in `pfs`")
            return ()
        return tuple(every)


def is_device(word: str) -> bool:
    """Whether a word can be the name of a network device, or of a driver, in a document."""
    return len(word) <= LONGEST_DEVICE and re.fullmatch(DEVICE, word) is not None


def slug(*candidates: str) -> str:
    """A name for a document, made from the first of the candidates that has a letter or digit in it."""
    for text in candidates:
        if name := _OTHER.sub("-", text.lower()).strip("-")[:LONGEST_NAME].rstrip("-"):
            return name
    return "adapter"


def name_of(pfs: tuple[Selector, ...]) -> str:
    """What to call a document after its PF, if it is about one."""
    return pfs[0].name or pfs[0].address if len(pfs) == 1 else ""


def stem_of(file: str) -> str:
    """The name of a file without folder and ending."""
    return file.rpartition("/")[2].partition(".")[0]


def distinct(wishes: Iterable[AdapterWish]) -> tuple[AdapterWish, ...]:
    """The wishes, with numbers behind names that are there already."""
    taken: set[str] = set()
    found = []
    for wish in wishes:
        name, count = wish.name, 1
        while name in taken:
            count += 1
            name = f"{wish.name[: LONGEST_NAME - 6].rstrip('-')}-{count}"
        taken.add(name)
        found.append(replace(wish, name=name))
    return tuple(found)
