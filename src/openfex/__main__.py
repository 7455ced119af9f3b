# SPDX-License-Identifier: Apache-2.0
"""`python -m openfex`: the same as `fex`."""

from __future__ import annotations

from openfex.cli import main

if __name__ == "__main__":
    main()
