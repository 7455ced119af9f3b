# SPDX-License-Identifier: Apache-2.0
"""What a lab shows of itself. `look.py` does the looking; everything else is pure, from a sight to rows of values."""
