# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from openfex import wire


def test_what_is_announced_is_there_and_in_order() -> None:
    assert all(hasattr(wire, name) for name in wire.__all__)
    assert len(wire.__all__) == len(set(wire.__all__))
    assert wire.__doc__ == "Octets <-> values. No state."
