# SPDX-License-Identifier: Apache-2.0
"""Giving a function to somebody, and taking it back: to the host, to a name space, to a virtual machine.

A gift has a generation, the highest that its adapter has had until then. Who takes back says which one he means, so a
late "take back" of an older gift does nothing to the new holder (promise P7). What the function was before is in the
journal before anything is changed, and is what it is again when it has been taken back: nothing of one holder is left
for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openfex.adapter.host import Host
from openfex.adapter.journal import Journal
from openfex.adapter.worker import WAIT_S, perform
from openfex.errors import NotFoundError, OpenfexError, RefusedError, VerificationError
from openfex.linux.signals import undisturbed
from openfex.model.adapters import Owner, RealAdapter, RealFunction
from openfex.model.functions import AdapterWish, FunctionDriver, Selector, Settings, said
from openfex.plan.functions import plan_functions, refuse
from openfex.plan.records import Gift, Record, noted
from openfex.plan.steps import Bind, Step, Target, Unbind, holder_of, steps

HOST, VM = "host", "vm"
"""Words for holders; any other is the name of a name space."""
MOST_PASSES = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is to have a function: `to` is `host`, `vm` or a name space; `name` the device's there; and its settings."""

    to: str
    name: str = ""
    settings: Settings = Settings()  # noqa: RUF009 -- it is frozen

    @property
    def space(self) -> str:
        """The name space, or empty."""
        return "" if self.to in (HOST, VM) else self.to

    @property
    def driver(self) -> FunctionDriver:
        """Whose it is then."""
        return FunctionDriver.VFIO if self.to == VM else FunctionDriver.DEVICE


def find(host: Host, address: str) -> tuple[RealAdapter, RealFunction]:
    """A function and its adapter. Raises NotFoundError."""
    for adapter in host.observe():
        for function in adapter.functions:
            if function.address == address:
                return adapter, function
    remedy = "`fex show functions --here` lists them by their PCI addresses"
    raise NotFoundError(f"there is no function {address}", code="no-such-function", remedy=remedy)


def give(host: Host, journal: Journal, address: str, wanted: Wanted, *, force: bool = False) -> Gift:
    """Give a function to somebody; what was given so already is only made whole. Raises RefusedError."""
    with journal.locked():
        adapter, function = find(host, address)
        record = journal.read().get(adapter.address)
        if record is None:
            remedy = f"take its adapter over as it is with `fex adopt {adapter.address}`"
            raise RefusedError(f"{address} is managed by others", code="not-ours", remedy=remedy)
        old = record.gifts.get(function.index)
        if old is not None and (old.to, old.name or wanted.name) != (wanted.to, wanted.name or old.name):
            remedy = f"take it back with `fex release {address}`"
            message = f"{address} has been given to {old.to} (generation {old.generation})"
            raise RefusedError(message, code="function-given", remedy=remedy)
        if old is None and function.in_use and not force:
            remedy = "end its use first, or say --force"
            raise RefusedError(f"{address}: {function.in_use}", code="function-in-use", remedy=remedy)
        made = _plan(adapter, function, wanted, record)
        gift = old or _gift(adapter, function, wanted, record, made)
        record = replace(record, generation=gift.generation, gifts={**record.gifts, function.index: gift})
        journal.write(record)
        try:
            _hand_over(host, adapter, function, gift, made)
        except BaseException as cause:
            with undisturbed():
                _undo(host, journal, record, function, cause)
            raise
        journal.note_places(host.observe())
        return gift


def _plan(adapter: RealAdapter, function: RealFunction, wanted: Wanted, record: Record) -> tuple[Step, ...]:
    index = function.index
    settings = replace(wanted.settings, driver=wanted.driver)
    pf = (Selector(address=adapter.address),)
    wish = AdapterWish("give", pf, numbers=(index, index), settings=((index, index, settings),))
    made = plan_functions([adapter], [wish], {adapter.address: record}, force=True)
    refuse(made)
    return made.steps


def _gift(adapter: RealAdapter, function: RealFunction, wanted: Wanted, record: Record, made: Sequence[Step]) -> Gift:
    before = noted(Record(adapter.address), adapter, made).functions.get(function.index, Settings())
    home = function.net.name if function.net and not function.net.space else ""
    return Gift(
        generation=record.generation + 1,
        to=wanted.to,
        space=wanted.space,
        name=wanted.name or home,
        home=home,
        before=before,
    )


def _hand_over(host: Host, adapter: RealAdapter, function: RealFunction, gift: Gift, made: Sequence[Step]) -> None:
    perform(host, made, lambda done, total, what: None, 0, len(made))
    _, now = find(host, function.address)
    if gift.to == VM:
        if now.bound is not FunctionDriver.VFIO:
            raise VerificationError(f"{function.address} is not with vfio-pci")
        return
    _place(host, now, gift.space, gift.name or (now.net.name if now.net else ""))


def _place(host: Host, function: RealFunction, space: str, name: str) -> None:
    """Have its device in a name space under a name, and see it there."""
    if function.net is None:
        raise VerificationError(f"{function.address} has no network device", code="functions-late")
    if (function.net.space, function.net.name) != (space, name):
        host.move(function.net, space, name)

    def there() -> bool:
        net = find(host, function.address)[1].net
        return net is not None and (net.space, net.name) == (space, name)

    if not host.wait(there, WAIT_S):
        raise VerificationError(f"{function.address} is not in {space or HOST} as {name}")


def _undo(host: Host, journal: Journal, record: Record, function: RealFunction, cause: BaseException) -> None:
    try:
        _return(host, record, function.address, function.index)
        journal.write(_without(record, function.index))
    except OpenfexError as second:
        cause.add_note(f"and it could not be put back: {second}; `fex release {function.address}` tries again")


def take_back(
    host: Host, journal: Journal, address: str, *, generation: int | None = None, force: bool = False
) -> Gift | None:
    """Take a function back that was given; returns what the gift was.

    None, and nothing is done: it is not given, or not any more by the gift that is meant.
    """
    with journal.locked():
        adapter, function = find(host, address)
        record = journal.read().get(adapter.address)
        gift = record.gifts.get(function.index) if record else None
        if record is None or gift is None or generation not in (None, gift.generation):
            return None
        if function.open and not force:
            remedy = "end that process first, or say --force: then it is asked to let go"
            raise RefusedError(f"{address}: {function.in_use}", code="function-in-use", remedy=remedy)
        _return(host, record, address, function.index)
        journal.write(_without(record, function.index))
        journal.note_places(host.observe())
        return gift


def _without(record: Record, index: int) -> Record:
    return replace(record, gifts={number: gift for number, gift in record.gifts.items() if number != index})


def _return(host: Host, record: Record, address: str, index: int) -> None:
    """Bring its device home, then make it what it was before the gift. From any state that a killed run leaves."""
    gift = record.gifts[index]
    adapter, function = find(host, address)
    if function.owner is Owner.LOST:  # its driver, started anew, makes a device in this name space
        again = [Unbind(adapter.address, index, holder_of(function)), Bind(adapter.address, index, function.bound)]
        perform(host, again, lambda done, total, what: None, 0, len(again))
        adapter, function = find(host, address)
    elif function.net and function.net.space:
        _place(host, function, "", gift.home or function.net.name)
    for _ in range(MOST_PASSES):
        adapter, function = find(host, address)
        made = steps(adapter, _back(adapter, function, gift))
        if not made:
            break
        perform(host, made, lambda done, total, what: None, 0, len(made))
    adapter, function = find(host, address)
    if left := steps(adapter, _back(adapter, function, gift)):
        raise VerificationError(f"read back different, still to be done: {'; '.join(map(str, left))}")
    if gift.home and function.net and function.net.name != gift.home:
        _place(host, function, "", gift.home)


def _back(adapter: RealAdapter, function: RealFunction, gift: Gift) -> Target:
    drivers = {one.index: one.bound for one in adapter.functions}
    drivers[function.index] = gift.before.driver or function.bound
    settings = {function.index: gift.before} if said(gift.before) else {}
    return Target(adapter.count, adapter.autoprobe, None, settings, drivers)
