# SPDX-License-Identifier: Apache-2.0
"""Keeps this machine's adapters as documents say, for as long as it runs: `fex host`.

It applies, says that it is ready when all is there, then waits for events and does what plan/watch.py decides. Nothing
is looked at without an event, but again after a repair, and where a repair has to wait. When it ends nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from openfex.adapter import changes
from openfex.adapter.host import Host
from openfex.adapter.journal import Journal
from openfex.errors import OpenfexError, VerificationError
from openfex.model.adapters import RealAdapter
from openfex.model.functions import AdapterWish
from openfex.model.wording import many
from openfex.plan.functions import plan_functions, refuse
from openfex.plan.watch import Told, Verdict, Watch, decide, is_passing, members_of, remembering, rested, to_be_raised

LOOK_AGAIN_S = 1.0
"""After an adapter could not be read: it may have gone meanwhile."""


@dataclass(frozen=True, slots=True)
class Woken:
    """Why a wait has ended: asked to end, asked to read the file again, and what the kernel told of PCIe errors."""

    end: bool = False
    reload: bool = False
    told: tuple[Told, ...] = ()


class Door(Protocol):
    """The world around: a clock, events, whoever has started this, and whoever reads what it says."""

    def now(self) -> float:
        """Seconds, from whenever."""

    def wait(self, until: float | None) -> Woken:
        """Wait until something may have changed, or until then."""

    def notify(self, *lines: str) -> None:
        """Tell the service manager."""

    def tell(self, told: Told) -> None:
        """A line of the log."""


@dataclass(slots=True)
class Keeper:
    """`read` gives what the file asks for; it raises an OpenfexError where that cannot be had."""

    host: Host
    journal: Journal
    door: Door
    read: Callable[[], Sequence[AdapterWish]]
    wishes: Sequence[AdapterWish] = ()
    watch: Watch = field(default_factory=lambda: Watch({}))
    taken: Callable[[], None] = lambda: None
    """Called when adapters are as it was read, at the start and when it was read again."""
    looked: Callable[[Sequence[RealAdapter]], None] = lambda adapters: None
    """Called with what was seen, whenever it has looked."""

    def keep(self, *, once: bool, patience_s: float) -> None:
        """Make adapters as asked for, be ready, and unless only `once` keep them so until asked to end.

        `patience_s`: how long devices and drivers that are not there yet are waited for. Raises OpenfexError.
        """
        with self.journal.watched():
            self.wishes = self.read()
            if not self._start(patience_s) or once:
                return
            self.taken()
            again = self._settle()
            while True:
                woken = self.door.wait(again)
                for one in woken.told:
                    self.door.tell(one)
                if woken.end:
                    self.door.notify("STOPPING=1", "STATUS=ended; functions stay as they are")
                    self.door.tell(Told("ended", "", "asked to end; functions stay as they are"))
                    return
                if woken.reload:
                    self._read_again(self._take_over)
                again = self._settle()

    def become(self, wishes: Sequence[AdapterWish]) -> None:
        """Make adapters be this now, and keep them so. Raises OpenfexError; then they are kept as before."""
        before, self.wishes = self.wishes, wishes
        try:
            self._apply(is_told=False)
        except BaseException:
            self.wishes = before
            raise

    def _take_over(self) -> None:
        self._apply()
        self.taken()

    def _start(self, patience_s: float) -> bool:
        """Be ready, or not because asked to end."""
        deadline = self.door.now() + patience_s
        while True:
            plan = changes.plan(self.host, self.journal, self.wishes)
            late = self.door.now() >= deadline
            if not is_passing(plan) or late:
                refuse(plan)
                self._apply()
                verdict = self._look()
                if verdict.whole:
                    self.door.tell(Told("ready", "", verdict.status))
                    self.door.notify("READY=1", f"STATUS={verdict.status}")
                    return True
                if late:
                    message = f"adapters are not as asked for after {patience_s:.0f} s: {verdict.status}"
                    remedy = "the kernel's log may say why (dmesg)"
                    raise VerificationError(message, code="host-not-ready", remedy=remedy)
            missing = "; ".join(one.message for one in plan.all_refusals) or "adapters are changing"
            for device in to_be_raised(plan):
                self.host.set_up(device)
                self.door.tell(Told("raised", "", f"{device.name} was down, and has to be up for what is asked for"))
            self.door.notify(f"STATUS=waiting: {missing}")
            self.door.tell(Told("waiting", "", missing))
            woken = self.door.wait(deadline)
            if woken.end:
                return False
            if woken.reload:
                self._read_again(lambda: None)

    def _apply(self, *, is_told: bool = True) -> None:
        """`is_told`: also that there was nothing to do."""
        done = changes.apply(self.host, self.journal, self.wishes)
        members = members_of(self.wishes, self.host.observe())
        self.watch = replace(self.watch, members=members, tries={}, held=frozenset())
        for step in done.steps:
            self.door.tell(Told("done", step.adapter, str(step)))
        words = f"{many(len(done.steps), 'step')} done, and read back as wanted" if done.steps else "all is as wanted"
        if is_told or done.steps:
            self.door.tell(Told("applied", "", words, {"steps": len(done.steps)}))

    def _read_again(self, act: Callable[[], None]) -> None:
        """Take what the file says now, and act; if that cannot be, all stays as it was asked for before."""
        wishes, watch = self.wishes, self.watch
        self.door.notify("STATUS=reading the file again")
        try:
            self.wishes = self.read()
            act()
        except OpenfexError as error:
            self.wishes, self.watch = wishes, replace(watch, held=frozenset())
            self._fail("refused", "", error)

    def _settle(self) -> float | None:
        """Look and repair until nothing more can be done now; when to look again without an event."""
        while True:
            try:
                verdict = self._look()
            except OpenfexError as error:
                self._fail("failed", "", error)
                return self.door.now() + LOOK_AGAIN_S
            if not verdict.repair:
                self.door.notify(f"STATUS={verdict.status}")
                return verdict.again_at
            self.door.notify(f"STATUS=repairing {', '.join(verdict.repair)}")
            for address in verdict.repair:
                self._repair(address)
                self.watch = rested(self.watch, address, self.door.now())

    def _look(self) -> Verdict:
        adapters = self.host.observe()
        records = remembering(self.journal.read(), adapters, self.watch.driven)
        plan = plan_functions(adapters, self.wishes, records)
        self.watch, verdict = decide(self.watch, adapters, self.wishes, plan, self.door.now())
        for one in verdict.told:
            self.door.tell(one)
        self.looked(adapters)
        return verdict

    def _repair(self, address: str) -> None:
        """Each for itself: one that fails keeps no other from it."""
        gifts = dict(record.gifts) if (record := self.journal.read().get(address)) else {}
        try:
            done = changes.repair(self.host, self.journal, self.wishes, [address], self.watch.driven)
        except OpenfexError as error:
            self._fail("failed", address, error)
            return
        words = f"{many(len(done.steps), 'step')} done, and read back as wanted"
        self.door.tell(Told("repaired", address, words, {"steps": [str(step) for step in done.steps]}))
        kept = done.records[address].gifts if address in done.records else gifts
        for index in sorted(gifts.keys() - kept.keys()):
            words = f"function {index} is new, and is not with {gifts[index].to} any more"
            self.door.tell(Told("gift-lost", address, words, {"function": index, "to": gifts[index].to}))

    def _fail(self, event: str, about: str, error: OpenfexError) -> None:
        self.door.tell(Told(event, about, str(error), {"code": error.code, "remedy": error.remedy}))
