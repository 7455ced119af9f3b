# SPDX-License-Identifier: Apache-2.0
"""What a file says of functions, gathered number by number while it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openfex.formats.ranges import Ranges, gathered
from openfex.formats.report import Report, Said
from openfex.formats.values import LAST_FUNCTION, Value, why_not


@dataclass
class Functions:
    """Settings by number; what cannot be here is noted and left out."""

    report: Report
    said: dict[int, dict[str, Value]] = field(default_factory=dict)

    def take(self, number: int, settings: Mapping[str, tuple[Value, Said]]) -> None:
        """The settings of one function, by their names in `Settings`."""
        self.said[number] = possible(self.report, settings)

    def ranges(self) -> Ranges:
        """All of it, in its normal form."""
        return gathered(self.said)


def possible(report: Report, settings: Mapping[str, tuple[Value, Said]]) -> dict[str, Value]:
    """Those of the settings that a function can have, each for itself and together; the others are noted."""
    found: dict[str, Value] = {}
    for setting, (value, said) in settings.items():
        if why := why_not(setting, value):
            report.note("out-of-range", said, why)
        else:
            found[setting] = value
    if found.get("vlan") == 0 and found.get("qos"):
        del found["qos"]
        report.note("out-of-range", settings["qos"][1], "without a VLAN there is no tag that it could be in")
    low, high = found.get("min_rate"), found.get("max_rate")
    if isinstance(low, int) and isinstance(high, int) and 0 < high < low:
        message = f"at least {low} Mbit/s are more than at most {high}, which the kernel refuses"
        report.fault("bad-rate", settings["min_rate"][1], message, "lower it")
    return found


def can_be(number: int, report: Report, said: Said) -> bool:
    """Whether an adapter can have a function of this number; if not that is noted."""
    if number <= LAST_FUNCTION:
        return True
    report.note("out-of-range", said, f"PCIe counts functions up to number {LAST_FUNCTION}")
    return False


def count_of(number: int | None, report: Report, said: Said) -> int | None:
    """A number of functions, if an adapter can have so many; if not that is noted."""
    if number is None or number <= LAST_FUNCTION + 1:
        return number
    report.note("out-of-range", said, f"PCIe counts up to {LAST_FUNCTION + 1} functions")
    return None
