# SPDX-License-Identifier: Apache-2.0
"""Short ways to ask of a reader what the tests want to know."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from openfex.errors import DocumentError
from openfex.formats.report import Import
from openfex.model.functions import AdapterWish, Settings

Reader = Callable[[str], Import]


def only(found: Import) -> AdapterWish:
    (wish,) = found.wishes
    return wish


def settings(wish: AdapterWish) -> dict[tuple[int, int], Settings]:
    return {(first, last): one for first, last, one in wish.settings}


def notes(found: Import) -> list[tuple[int, str, str]]:
    """Line, code and key of each."""
    return [(note.line, note.code, note.key) for note in found.notes]


def faults(read: Reader, text: str) -> list[tuple[int, str]]:
    """Line and code of each problem of a text that is refused."""
    with pytest.raises(DocumentError) as refused:
        read(text)
    return [(problem.line, problem.code) for problem in refused.value.problems]
