# SPDX-License-Identifier: Apache-2.0
"""Hatchling's hook: compiles the eBPF programs and puts them into the wheel, which stays pure Python."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BpfBuildHook(BuildHookInterface[BuilderConfig]):
    """Runs before a wheel or an editable install is made."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile. An editable install reads the objects where they lie, and wants those of the tests too."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        script = _load(root / "bpf" / "build.py")
        try:
            objects = script.build(root, tests=version == "editable")
        except script.BuildError as error:
            sys.exit(f"openfex: {error}")
        if version != "editable":
            for path in objects:
                build_data["force_include"][str(path)] = f"openfex/datapath/objects/{path.name}"


def _load(path: Path) -> ModuleType:
    """The script as a module. It leaves no bytecode beside the sources, whose folder's time the launcher watches."""
    spec = importlib.util.spec_from_file_location("openfex_bpf_build", path)
    if spec is None or spec.loader is None:
        sys.exit(f"openfex: {path} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module
