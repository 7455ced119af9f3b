# SPDX-License-Identifier: Apache-2.0
"""The entry of another suite, made of one that a machine has."""

from __future__ import annotations

import pytest

from openfex.machine.suites import with_suite

SECURITY = "Types: deb\nURIs: http://b.example/sec\nSuites: old-security\nComponents: main\n"
BLOCKS = f"""\
Types: deb deb-src
# the mirror next door
URIs: http://a.example/debian
Suites: old old-updates
Components: main
Signed-By: /keys/it.gpg

{SECURITY}"""
LINES = """\
# deb http://a.example/debian old main
deb http://b.example/sec old-security main
deb [signed-by=/keys/it.gpg] http://a.example/debian old main contrib
"""


def test_of_blocks_the_one_for_the_release_is_taken_with_all_it_says() -> None:
    assert with_suite(BLOCKS, "old", "old-backports") == (
        "Types: deb deb-src\n"
        "# the mirror next door\n"
        "URIs: http://a.example/debian\n"
        "Suites: old-backports\n"
        "Components: main\n"
        "Signed-By: /keys/it.gpg\n"
    )


def test_of_lines_the_one_for_the_release_is_taken() -> None:
    assert with_suite(LINES, "old", "new") == "deb [signed-by=/keys/it.gpg] http://a.example/debian new main\n"


@pytest.mark.parametrize("text", [SECURITY, "", "# deb http://a.example/debian old main\n"])
def test_what_is_for_something_else_is_not_taken(text: str) -> None:
    assert with_suite(text, "old", "new") == ""
