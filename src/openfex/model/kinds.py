# SPDX-License-Identifier: Apache-2.0
"""The forms that a document may have: one a kind, but three of an adapter, which has other keys when it is real."""

from __future__ import annotations

from collections.abc import Mapping

from openfex.model.documents import EXAMPLES, SPECS
from openfex.model.real import SriovSpec
from openfex.model.real_storage import NvmeSpec
from openfex.model.spec import Spec

REAL_ADAPTER = "adapter-sriov"
"""How an adapter with `driver: sriov` is called where keys are told, `adapter-sriov.settings.RANGE.vlan`."""

NVME_ADAPTER = "adapter-nvme"
"""And one with `driver: nvme`."""

REAL: dict[str, type[Spec]] = {REAL_ADAPTER: SriovSpec, NVME_ADAPTER: NvmeSpec}
FORMS: dict[str, type[Spec]] = {**SPECS, **REAL}
FORM_EXAMPLES: dict[str, tuple[str, str, dict[str, object]]] = {
    **{kind: (kind, *example) for kind, example in EXAMPLES.items()},
    REAL_ADAPTER: (
        "adapter",
        "nic0",
        {"driver": "sriov", "pfs": ["eno1"], "functions": 4, "settings": {"0-1": {"vlan": 10, "spoof-check": True}}},
    ),
    NVME_ADAPTER: (
        "adapter",
        "ssd0",
        {"driver": "nvme", "pfs": ["0000:01:00.0"], "functions": 2, "settings": {"0": {"namespaces": [1]}}},
    ),
}
"""Kind, name and spec of a document of each form."""


def form_of(kind: str, spec: object) -> str:
    """The form that a spec is meant to have. Only real adapters have PFs, so one with `pfs` is one, too."""
    if kind != "adapter" or not isinstance(spec, Mapping):
        return kind
    if spec.get("driver") == "nvme":
        return NVME_ADAPTER
    return REAL_ADAPTER if spec.get("driver") == "sriov" or "pfs" in spec else kind
