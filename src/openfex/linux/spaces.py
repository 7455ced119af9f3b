# SPDX-License-Identifier: Apache-2.0
"""Several name spaces at once: one netlink socket each, opened when first needed, and their links in one look."""

from __future__ import annotations

from types import TracebackType

from openfex.linux import netns
from openfex.linux.links import Link
from openfex.linux.netlink import Netlink
from openfex.model.place import Place


class Spaces:
    """The name spaces whose names begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._netlinks: dict[str, Netlink] = {}

    def __enter__(self) -> Spaces:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all sockets."""
        for one in self._netlinks.values():
            one.close()
        self._netlinks.clear()

    def netlink(self, name: str) -> Netlink:
        """The socket of one name space. Raises NotFoundError."""
        if name not in self._netlinks:
            self._netlinks[name] = Netlink(name)
        return self._netlinks[name]

    def forget(self, name: str) -> None:
        """Close the socket of a name space that is about to go."""
        if name in self._netlinks:
            self._netlinks.pop(name).close()

    def names(self) -> list[str]:
        """The name spaces there are now."""
        return netns.names(self.prefix)

    def links(self) -> dict[str, list[Link]]:
        """The links of every name space there is now."""
        return {name: self.netlink(name).links() for name in self.names()}

    def addresses(self, place: Place) -> tuple[str, ...]:
        """The addresses of a device, sorted; those that its own stack made (link-local) left out."""
        found = self.netlink(place.netns).addresses(place.device)
        return tuple(sorted(one for one in found if not one.startswith("fe80:")))
