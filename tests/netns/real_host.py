# SPDX-License-Identifier: Apache-2.0
"""`fex host` with an adapter that is none, whose PF is a device of this machine: `… FILE HOST FOLDER PF DRIVER`.

The adapter's state outlives this process, as hardware does: FOLDER/adapter.pickle. Where FOLDER/links is, whoever
holds functions has set them up.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from openfex.adapter.journal import Journal
from openfex.adapter.keeper import Keeper
from openfex.adapter.waking import opened
from openfex.cli.host import asked_of
from openfex.errors import UnsupportedError
from openfex.host.real import RealHost
from openfex.model.adapters import RealAdapter, RealFunction
from openfex.model.functions import Settings
from openfex.plan.watch import Told
from openfex.testing.adapters import FakeAdapter, FakeHost

STATE, LINKS = "adapter.pickle", "links"


def adapter_in(folder: Path) -> FakeAdapter:
    """The adapter as it is now."""
    found = pickle.loads((folder / STATE).read_bytes())
    assert isinstance(found, FakeAdapter)
    return found


class Hardware(FakeHost):
    """Keeps each change."""

    def __init__(self, folder: Path, adapter: FakeAdapter) -> None:
        super().__init__(adapter)
        self.folder = folder

    def observe(self, address: str = "") -> tuple[RealAdapter, ...]:
        """All adapters, or one."""
        found, up = super().observe(address), (self.folder / LINKS).exists()
        return tuple(replace(one, functions=tuple(_linked(vf, up=up) for vf in one.functions)) for one in found)

    def set_attributes(self, adapter: str, index: int, change: Settings) -> None:
        """Set them; a driver that nobody knows turns out to have no links of functions."""
        if change.link is not None and self.adapters[adapter].driver == "unknown":
            raise UnsupportedError("cannot set the link state: Operation not supported")
        super().set_attributes(adapter, index, change)

    def count(self, change: str, act: Callable[[], None]) -> None:
        """Do a change."""
        super().count(change, act)
        [adapter] = self.adapters.values()
        new = self.folder / f"{STATE}.new"
        new.write_bytes(pickle.dumps(adapter))
        new.replace(self.folder / STATE)


def _linked(function: RealFunction, *, up: bool) -> RealFunction:
    return replace(function, net=function.net and replace(function.net, up=up, carrier=up))


def tell(told: Told) -> None:
    print(json.dumps({"event": told.event, "object": told.about, "what": told.words, **told.more}), flush=True)


def main(file: str, name: str, place: str, pf: str, driver: str) -> None:
    folder = Path(place)
    is_there = (folder / STATE).exists()
    machine = Hardware(folder, adapter_in(folder) if is_there else FakeAdapter(name=pf, driver=driver))
    journal = Journal(folder / "functions")
    with (
        closing(RealHost(machine, lambda: asked_of(file, name, folder), tell)) as real,
        opened(tell, real.sleep) as door,
    ):
        real.keeper = Keeper(machine, journal, door, real.wishes, taken=real.begin, looked=real.see)
        real.keeper.keep(once=False, patience_s=5.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
