# SPDX-License-Identifier: Apache-2.0
"""The steps that change an NVMe adapter, each done to its end: until the kernel shows what has come of it."""

from __future__ import annotations

from collections.abc import Callable

from openfex.adapter.nvme_reading import DRIVER, Doors, ask, places, primary
from openfex.errors import NotFoundError, VerificationError
from openfex.linux.uevent import Events
from openfex.plan.storage_steps import StorageStep, Verb
from openfex.wire import nvme as wire
from openfex.wire.nvme import Action, Cns, VirtualizationManagement, identify

DEADLINE_S = 60.0
"""For what the kernel and the adapter do by themselves."""


def perform(doors: Doors, address: str, step: StorageStep) -> None:
    """One step, to its end."""
    match step.verb:
        case Verb.COUNT:
            _carve(doors, address, step.number)
        case Verb.AUTOPROBE:
            doors.bus.set_autoprobe(address, bool(step.number))
        case Verb.RESET:
            _reset(doors, address)
        case Verb.UNBIND:
            place = _place(doors, address, step.function)
            doors.bus.unbind(place)
            doors.bus.set_override(place, "")
        case Verb.BIND:
            _bind(doors, _place(doors, address, step.function), step.driver)
        case Verb.ATTACH | Verb.DETACH:
            _attach(doors, address, step)
        case _:
            _manage(doors, address, step)


def _carve(doors: Doors, address: str, count: int) -> None:
    with doors.listen() as events:
        doors.bus.set_count(address, count)
        _wait(
            events,
            lambda: len(places(doors, address)) == count,
            f"adapter {address} did not come to have {count} functions",
        )


def _reset(doors: Doors, address: str) -> None:
    """The driver takes its time to be `live` again, and commands fail until then."""
    name = primary(doors, address)
    with doors.listen() as events:
        doors.controllers.reset(address)
        _wait(events, lambda: doors.controllers.state(name) == "live", f"{name} did not come back after its reset")


def _bind(doors: Doors, place: str, driver: str) -> None:
    """A driver_override says who, and lets the kernel bind a function though its PF has autoprobe off."""
    with doors.listen() as events:
        doors.bus.set_override(place, driver)
        doors.bus.probe(place)
        _wait(events, lambda: doors.bus.function(place).driver == driver, f"{place} was not bound to {driver}")
        if driver == DRIVER:
            _wait(events, lambda: _is_live(doors, place), f"the controller of {place} did not become live")
            _show_disks(doors, events, place)


def _is_live(doors: Doors, place: str) -> bool:
    name = doors.controllers.controller(place)
    return bool(name) and doors.controllers.state(name) == "live"


def _show_disks(doors: Doors, events: Events, place: str) -> None:
    """The kernel looks for namespaces by itself, some time after it has bound a controller, or after an event of it."""
    name = doors.controllers.controller(place)
    wanted = set(wire.decode_namespaces(ask(doors, name, identify(Cns.ACTIVE_NAMESPACES))))

    def shown() -> bool:
        return {one.nsid for one in doors.controllers.disks(name)} == wanted

    _wait(events, shown, f"{name} ({place}) did not come to have block devices for namespaces {sorted(wanted)}")


def _attach(doors: Doors, address: str, step: StorageStep) -> None:
    """A namespace is only detached from who has it: QEMU 10 miscounts, and ends itself later, where it is not."""
    command = wire.attach_namespace(step.number, [step.controller], attach=step.verb is Verb.ATTACH)
    place = places(doors, address).get(step.function, "")
    with doors.listen() as events:
        doors.controllers.submit(primary(doors, address), command)
        if place and (name := doors.controllers.controller(place)):
            doors.controllers.rescan(name)
            _show_disks(doors, events, place)


def _manage(doors: Doors, address: str, step: StorageStep) -> None:
    actions = {
        Verb.OFFLINE: Action.OFFLINE,
        Verb.ONLINE: Action.ONLINE,
        Verb.ASSIGN: Action.ASSIGN,
        Verb.OWN: Action.PRIMARY_FLEXIBLE,
    }
    name = primary(doors, address)
    controller = step.controller
    if step.verb is Verb.OWN:
        controller = wire.ControllerIdentity.decode(ask(doors, name, identify(Cns.CONTROLLER))).controller
    command = VirtualizationManagement(actions[step.verb], controller, step.resource, step.number)
    doors.controllers.submit(name, command.command())


def _wait(events: Events, holds: Callable[[], bool], otherwise: str) -> None:
    if not events.wait(holds, DEADLINE_S):
        raise VerificationError(f"{otherwise} within {DEADLINE_S:.0f} s", code="functions-late")


def _place(doors: Doors, address: str, number: int) -> str:
    place = places(doors, address).get(number)
    if place is None:
        raise NotFoundError(f"adapter {address} has no function {number}", code="no-such-function")
    return place
