# SPDX-License-Identifier: Apache-2.0
"""The command line: each command a thin function, each with --json. No room imports this one."""

from __future__ import annotations

import sys


def main() -> None:
    """The program `fex`. Ctrl-C while it is still starting ends it without a word."""
    try:
        from openfex.cli.app import main as start

        start()
    except KeyboardInterrupt:
        sys.exit(130)
