# SPDX-License-Identifier: Apache-2.0
"""How people write what is about storage functions. As in written.py, each kind of value once."""

from __future__ import annotations

from openfex.model.forms import whole

SHARE = whole("number of resources", 0, 65_535, ("2",))
NAMESPACE = whole("namespace", 1, 0xFFFFFFFE, ("1",))
STORAGE_VALUES = (SHARE, NAMESPACE)
