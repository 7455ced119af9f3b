# SPDX-License-Identifier: Apache-2.0
"""Performs the steps of one adapter, one by one, and waits for what the kernel does after each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from openfex.adapter.host import Host
from openfex.errors import VerificationError
from openfex.model.adapters import RealAdapter, RealFunction
from openfex.model.functions import FunctionDriver
from openfex.plan.steps import Bind, Carve, SetAttributes, SetAutoprobe, SetHwMode, Step, Unbind

WAIT_S = 10.0
WAIT_FUNCTION_S = 0.2
"""And for each function that is waited for: drivers start them one after another."""
VFIO = "vfio-pci"

Progress = Callable[[int, int, object], None]


def perform(host: Host, made: Sequence[Step], progress: Progress, done: int, total: int) -> int:
    """Perform steps of one adapter in their order; returns how many are done then."""
    for is_bind, group in groupby(made, lambda step: isinstance(step, Bind)):
        there = list(group)
        if is_bind:
            progress(done, total, there[0])
            _bind(host, [step for step in there if isinstance(step, Bind)])
            done += len(there)
            continue
        for step in there:
            progress(done, total, step)
            _perform_one(host, step)
            done += 1
    return done


def _perform_one(host: Host, step: Step) -> None:
    if isinstance(step, SetHwMode):
        host.set_hwmode(step.adapter, step.new)
    elif isinstance(step, SetAutoprobe):
        host.set_autoprobe(step.adapter, step.on)
    elif isinstance(step, Carve):
        _carve(host, step)
    elif isinstance(step, SetAttributes):
        host.set_attributes(step.adapter, step.number, step.new)
    elif isinstance(step, Unbind):
        function = _function(_adapter(host, step.adapter), step.number)
        host.unbind(function.address)
        if function.override:
            host.set_override(function.address, "")


def _carve(host: Host, step: Carve) -> None:
    """Through 0: the kernel refuses any other way with EBUSY. What is read back is what there is.

    Some adapters reset when they are carved, and have no link for seconds; then rates are refused. It is waited for, if
    there was one.
    """
    before = _adapter(host, step.adapter)
    if before.count:
        host.set_count(step.adapter, 0)
        _wait(host, step.adapter, 0, "gone")
    if step.new:
        host.set_count(step.adapter, step.new)
        _wait(host, step.adapter, step.new, "there")
    if before.has_link:
        host.wait(lambda: _adapter(host, step.adapter).has_link, WAIT_S)


def _wait(host: Host, adapter: str, count: int, state: str) -> None:
    def holds() -> bool:
        found = _adapter(host, adapter)
        return found.count == count and len(found.functions) == count

    deadline = WAIT_S + WAIT_FUNCTION_S * count
    if not host.wait(holds, deadline):
        found = _adapter(host, adapter)
        message = (
            f"the functions of {adapter} are not {state} after {deadline:.0f} s: {len(found.functions)} of {count}"
        )
        raise VerificationError(message, code="functions-late", remedy="the kernel's log may say why (dmesg)")


def _bind(host: Host, binds: Sequence[Bind]) -> None:
    """All of them are asked for before any is waited for."""
    adapter = _adapter(host, binds[0].adapter)
    for step in binds:
        function = _function(adapter, step.number)
        override = VFIO if step.driver is FunctionDriver.VFIO else ""
        if function.override != override:
            host.set_override(function.address, override)
        if function.bound is not step.driver:
            host.probe(function.address)

    def missing() -> list[RealFunction]:
        now = _adapter(host, binds[0].adapter)
        found = [(_function(now, step.number), step.driver) for step in binds]
        return [one for one, driver in found if not _is_ready(one, driver)]

    deadline = WAIT_S + WAIT_FUNCTION_S * len(binds)
    if not host.wait(lambda: not missing(), deadline):
        left = missing()
        names = ", ".join(f"{one.address} ({one.vendor}:{one.device})" for one in left[:5])
        message = f"without driver or device after {deadline:.0f} s: {names}"
        raise VerificationError(message, code="functions-late", remedy="is the module of their driver there?")


def _is_ready(function: RealFunction, driver: FunctionDriver) -> bool:
    if function.bound is not driver:
        return False
    return driver is FunctionDriver.VFIO or not function.is_network or function.net is not None


def _adapter(host: Host, address: str) -> RealAdapter:
    (found,) = host.observe(address) or (None,)
    if found is None:
        raise VerificationError(f"adapter {address} has gone", code="adapter-gone")
    return found


def _function(adapter: RealAdapter, index: int) -> RealFunction:
    found = adapter.function(index)
    if found is None:
        message = f"function {index} of {adapter.address} has gone"
        raise VerificationError(message, code="functions-late", remedy="the kernel's log may say why (dmesg)")
    return found
