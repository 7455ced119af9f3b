# SPDX-License-Identifier: Apache-2.0
"""Door to the profiles of a bridge in the kernel: change one in one step, tell what there is, read what rules have hit.

A profile has two versions, and an octet that says which is current (docs/design/policy.md). A change writes the other
one and all that it points to, then the octet: no frame sees a part of it. What is not current belongs to nobody, once
every program that could have seen it has ended.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from openfex.datapath.abi import ACL, POLICY, PROFILE, U32, U64
from openfex.datapath.node import Node
from openfex.datapath.terms import (
    ROOM,
    Places,
    Spans,
    Tell,
    acl_rows,
    acls_of,
    compiled,
    digest_of,
    needs,
    policy_row,
    spans_of,
    vlan_set_of,
)
from openfex.linux.libbpf import possible_cpus, wait_for_programs
from openfex.model.policy import Rule
from openfex.rules.decision import Direction, Hit
from openfex.rules.tables import Terms

_NONE = bytes(POLICY.size)


@dataclass(frozen=True, slots=True)
class Held:
    """A profile in the kernel."""

    current: int
    versions: tuple[bytes, bytes]

    @property
    def row(self) -> bytes:
        """The version that judges now."""
        return self.versions[self.current]

    @property
    def spare(self) -> bytes:
        """The other one."""
        return self.versions[1 - self.current]

    @property
    def digest(self) -> int:
        """Of the version that judges now."""
        return int(POLICY.unpack(self.row)[-1])


def read_held(node: Node) -> dict[int, Held]:
    """All profiles that a bridge has, by number."""
    found = {}
    table = node.map("profiles")
    zeros = bytes(PROFILE.size)
    for first, octets in table.used():
        for at in range(0, len(octets), PROFILE.size):
            if not octets.startswith(zeros, at):
                current, *versions = PROFILE.unpack_from(octets, at)
                held = Held(current & 1, (versions[0], versions[1]))
                if held.digest:
                    found[first + at // PROFILE.size] = held
    return found


def _acl_row(node: Node, number: int) -> bytes:
    return node.map("acls").get(U32.pack(number)) or bytes(ACL.size)


def _places(node: Node, held: Mapping[int, Held]) -> Places:
    """What the versions that judge now do not have is free."""
    places = Places()
    for one in held.values():
        for number in acls_of(one.row):
            if number:
                places.take(spans_of(number, _acl_row(node, number)))
    return places


def _write_acl(node: Node, rules: tuple[Rule, ...] | None, places: Places) -> int:
    """Write an ACL where nobody looks; its row."""
    if rules is None:
        return 0
    acl = compiled(rules)
    spans = places.find(needs(acl))
    _clear_hits(node, spans)
    for name, rows in acl_rows(acl, spans).items():
        node.map(name).put_many(rows)
    return spans["acls"][0]


def _clear_hits(node: Node, spans: Spans) -> None:
    first, count = spans["hits"]
    for cpu in range(possible_cpus()):
        start = cpu * ROOM["hits"] + first
        node.map("hits").put_many([(U32.pack(start + number), bytes(U64.size)) for number in range(count)])


def write_profiles(node: Node, wanted: Mapping[int, Terms], sets: Mapping[frozenset[int], int]) -> int:
    """Make the profiles these; how many that changed. `sets`: the row of each VLAN set. Raises RefusedError.

    Profiles that are not wanted stay, for ports may still have them: `remove_profiles` takes them away. Terms that are
    only known by their digest are those of a profile that is there.
    """
    held = read_held(node)
    changed = {
        number: terms
        for number, terms in wanted.items()
        if not terms.digest and (number not in held or held[number].digest != digest_of(terms))
    }
    if changed and any(one.spare != _NONE for one in held.values()):
        wait_for_programs()
    places = _places(node, held)
    for number, terms in sorted(changed.items()):
        acls = [_write_acl(node, rules, places) for rules in (terms.policy.acl_in, terms.policy.acl_out)]
        vlan_set = sets[terms.vlans] if terms.vlans is not None else 0
        row = policy_row(terms, vlan_set, (acls[0], acls[1]))
        _switch(node, number, held.get(number), row)
    return len(changed)


def _switch(node: Node, number: int, held: Held | None, row: bytes) -> None:
    """The other version becomes this, and then the current one."""
    table, key = node.map("profiles"), U32.pack(number)
    if held is None:
        table.put(key, PROFILE.pack(0, row, _NONE))
        return
    versions = (held.row, row) if held.current == 0 else (row, held.row)
    table.put(key, PROFILE.pack(held.current, *versions))
    table.put(key, PROFILE.pack(1 - held.current, *versions))


def remove_profiles(node: Node, wanted: Mapping[int, Terms]) -> int:
    """Take away the profiles that no port has any more; how many."""
    gone = [number for number in read_held(node) if number not in wanted]
    node.map("profiles").put_many([(U32.pack(number), bytes(PROFILE.size)) for number in gone])
    return len(gone)


def read_profiles(node: Node, sets: Mapping[int, frozenset[int]], tell: Tell) -> dict[int, Terms]:
    """What the profiles ask, as `tell` can say. `sets`: the VLANs of each row."""
    return {
        number: tell(one.row, sets.get(vlan_set_of(one.row), frozenset()) if vlan_set_of(one.row) else None)
        for number, one in read_held(node).items()
    }


def read_hits(node: Node) -> dict[Hit, int]:
    """How often each rule of each profile has decided, the one behind the last that denies the rest among them."""
    found = {}
    for number, one in read_held(node).items():
        for direction, row in zip(Direction, acls_of(one.row), strict=True):
            if row:
                first, count = spans_of(row, _acl_row(node, row))["hits"]
                for rule, frames in enumerate(_sum_hits(node, first, count)):
                    found[Hit(number, direction, rule)] = frames
    return found


def rule_of(node: Node, profile: int, direction: Direction, row: int) -> Hit | None:
    """The rule that a row of hits counts; None if that is no rule of the profile's ACL as it is now."""
    current, *versions = PROFILE.unpack(node.map("profiles").get(U32.pack(profile)) or bytes(PROFILE.size))
    acl = acls_of(versions[current & 1])[direction]
    first, count = spans_of(acl, _acl_row(node, acl))["hits"] if acl else (0, 0)
    return Hit(profile, direction, row - first) if first <= row < first + count else None


def _sum_hits(node: Node, first: int, count: int) -> list[int]:
    table = node.map("hits")
    columns = [array("Q", table.range(cpu * ROOM["hits"] + first, count)) for cpu in range(possible_cpus())]
    return [sum(column) for column in zip(*columns, strict=True)]
