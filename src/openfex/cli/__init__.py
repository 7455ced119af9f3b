# SPDX-License-Identifier: Apache-2.0
"""The command line: each command a thin function, each with --json. No room imports this one."""

from __future__ import annotations


def main() -> None:
    """The program `fex`."""
    from openfex.cli.app import main as start

    start()
