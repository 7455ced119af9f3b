# SPDX-License-Identifier: Apache-2.0
"""Terms of profiles as octets: the policy's row, and an ACL in rows that a place was found for. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from openfex.datapath.abi import ACL, MARK, NODE, POLICY, RUN, U32, VECTOR, PolicyFlag
from openfex.errors import RefusedError
from openfex.model.policy import Priority, Rate, Rule, Trust
from openfex.rules.classes import Acl, compile_acl
from openfex.rules.policy import SPENT_NS, frame_cost, octet_cost
from openfex.rules.tables import Terms
from openfex.rules.trees import LEAF
from openfex.rules.trees import RUN as RUN_MARK

FORMAT = 2
"""Grows when the same terms become other rows."""
ROOM = {"acls": 4096, "acl_nodes": 16_384, "acl_runs": 65_536, "vectors": 65_536, "hits": 65_536}
"""How many rows of each kind a bridge has."""
_DIMENSIONS = 10
_WIDE = (0, 1, 2, 3, 9)
"""The dimensions that most ACLs do not ask for."""
Spans = dict[str, tuple[int, int]]
"""By map: the first row and how many, of one ACL."""


def digest_of(terms: Terms) -> int:
    """A number that tells terms apart, the same in every process; not 0."""
    if terms.digest:
        return terms.digest
    vlans = sorted(terms.vlans) if terms.vlans is not None else None
    said = repr((FORMAT, terms.vlan, vlans, terms.service, terms.policy)).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "big") or 1


def foreign(row: bytes, vlans: frozenset[int] | None) -> Terms:
    """Terms that nobody here knows: what can be said of them is their VLANs, their service tag and their digest."""
    _, _, vlan, _, _, _, _, _, service, *_, digest = POLICY.unpack(row)
    return Terms(vlan, vlans, service=service, digest=digest or 1)


def vlan_set_of(row: bytes) -> int:
    """The row of a version's VLANs; 0 for an access port."""
    flags, number, *_ = POLICY.unpack(row)
    return number if PolicyFlag(flags) & PolicyFlag.TRUNK else 0


@lru_cache(maxsize=64)
def compiled(rules: tuple[Rule, ...]) -> Acl:
    """An ACL's trees; those of the last few are kept, because a profile is compared more often than it is changed."""
    return compile_acl(rules)


def needs(acl: Acl) -> dict[str, int]:
    """How many rows of each kind an ACL takes; a rule's hits, and those of what denies the rest."""
    return {
        "acls": 1,
        "acl_nodes": len(acl.nodes),
        "acl_runs": len(acl.runs),
        "vectors": len(acl.vectors) + 1,
        "hits": acl_rules(acl) + 1,
    }


def acl_rules(acl: Acl) -> int:
    """How many rules an ACL has: its first vector has a bit for each."""
    return acl.vectors[0].bit_count()


def _moved(reference: int, spans: Spans) -> int:
    """A reference of the ACL's own numbers as one of the bridge's."""
    if reference & LEAF:
        return reference + spans["vectors"][0]
    return reference + spans["acl_runs" if reference & RUN_MARK else "acl_nodes"][0]


def _vector(bits: int) -> bytes:
    return VECTOR.pack(*(bits >> 64 * word & 0xFFFF_FFFF_FFFF_FFFF for word in range(16)))


def _numbered(name: str, spans: Spans, rows: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return [(U32.pack(number), row) for number, row in enumerate(rows, spans[name][0])]


def acl_rows(acl: Acl, spans: Spans) -> dict[str, list[tuple[bytes, bytes]]]:
    """The rows of an ACL in the places found for it; what points comes after what it points to."""

    def moved(reference: int) -> int:
        return _moved(reference, spans)

    def run(octets: bytes, equal: int, other: int) -> bytes:
        mask = b"\xff" * len(octets)
        return RUN.pack(octets.ljust(16, b"\0"), mask.ljust(16, b"\0"), len(octets), moved(equal), moved(other), 0)

    vectors = [_vector(bits) for bits in (*acl.vectors, acl.permits)]
    wide = any(acl.roots[dimension] != LEAF or acl.absent[dimension] != LEAF for dimension in _WIDE)
    head = (acl_rules(acl), spans["hits"][0], spans["vectors"][0] + len(acl.vectors), wide)
    own = [number for name in ("acl_nodes", "vectors", "acl_runs") for number in spans[name]]
    row = ACL.pack(*head, *map(moved, acl.roots), *map(moved, acl.absent), *own)
    return {
        "vectors": _numbered("vectors", spans, vectors),
        "acl_runs": _numbered("acl_runs", spans, [run(one.octets, one.equal, one.other) for one in acl.runs]),
        "acl_nodes": _numbered("acl_nodes", spans, [NODE.pack(*map(moved, node)) for node in acl.nodes]),
        "acls": _numbered("acls", spans, [row]),
    }


def spans_of(number: int, row: bytes) -> Spans:
    """The rows that an ACL has."""
    rules, hits, _, _, *rest = ACL.unpack(row)
    node, nodes, vector, vectors, run, runs = rest[2 * _DIMENSIONS :]
    found = {"acls": (number, 1), "acl_nodes": (node, nodes), "vectors": (vector, vectors), "acl_runs": (run, runs)}
    return found | {"hits": (hits, rules + 1)}


@dataclass
class Places:
    """Which rows nobody has. Row 0 of the ACLs is no ACL."""

    taken: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {name: [] for name in ROOM})

    def take(self, spans: Spans) -> None:
        """These rows are somebody's."""
        for name, span in spans.items():
            if span[1]:
                self.taken[name].append(span)

    def find(self, wanted: Mapping[str, int]) -> Spans:
        """The first rows that are free, and take them. Raises RefusedError."""
        spans = {name: (self._find(name, count), count) for name, count in wanted.items()}
        self.take(spans)
        return spans

    def _find(self, name: str, count: int) -> int:
        first = 1 if name == "acls" else 0
        for start, length in sorted(self.taken[name]):
            if start - first >= count:
                break
            first = max(first, start + length)
        if first + count > ROOM[name]:
            message = f"the bridge's ACLs need more than its {ROOM[name]} rows of {name}"
            remedy = "use fewer or shorter ACLs, or let profiles share them"
            raise RefusedError(message, code="acls-too-large", remedy=remedy)
        return first


def _flags(terms: Terms) -> PolicyFlag:
    policy = terms.policy
    flags = PolicyFlag(0)
    flags |= PolicyFlag.TRUNK if terms.trunk else 0
    flags |= PolicyFlag.GUARD if policy.source.guard else 0
    flags |= PolicyFlag.MORE_MACS if policy.source.macs or policy.source.learn else 0
    flags |= PolicyFlag.RATE_IN if policy.rate_in != Rate() else 0
    flags |= PolicyFlag.RATE_OUT if policy.rate_out != Rate() else 0
    flags |= PolicyFlag.JUDGES_OUT if policy.judges_out else 0
    return flags | _priority_flags(policy.priority)


def _priority_flags(priority: Priority) -> PolicyFlag:
    """None where nothing is to be looked at but the C-tag."""
    if priority == Priority():
        return PolicyFlag(0)
    trust = {Trust.PCP: PolicyFlag.TRUST_PCP, Trust.DSCP: PolicyFlag.TRUST_DSCP}
    return PolicyFlag.PRIORITY | trust.get(priority.trust, PolicyFlag(0))


def policy_row(terms: Terms, vlan_set: int, acls: tuple[int, int]) -> bytes:
    """A version of a profile, with the rows of its VLANs and ACLs."""
    policy, numbers = terms.policy, [0, 0, 0, 0, 0, 0, 0, 0]
    for way, rate in enumerate((policy.rate_in, policy.rate_out)):
        octet, frame = octet_cost(rate), frame_cost(rate)
        numbers[2 * way : 2 * way + 2] = octet, rate.burst_octets * octet // SPENT_NS
        numbers[4 + 2 * way : 6 + 2 * way] = frame, rate.burst_frames * frame // SPENT_NS
    priority = policy.priority
    mark = 0 if priority.dscp is None else MARK | priority.dscp
    head = (_flags(terms), vlan_set, terms.vlan, policy.source.learn, *acls, priority.pcp, mark, terms.service)
    return POLICY.pack(*head, *numbers, digest_of(terms))


def acls_of(row: bytes) -> tuple[int, int]:
    """The rows of a version's ACLs, 0 for none."""
    _, _, _, _, acl_in, acl_out, *_ = POLICY.unpack(row)
    return acl_in, acl_out


Tell = Callable[[bytes, frozenset[int] | None], Terms]
"""Who says what a version and its VLANs ask."""


def known(candidates: Iterable[Terms]) -> Tell:
    """Who tells terms that are among these; others are foreign."""
    by_digest = {digest_of(terms): terms for terms in candidates}

    def tell(row: bytes, vlans: frozenset[int] | None) -> Terms:
        found = by_digest.get(POLICY.unpack(row)[-1])
        return foreign(row, vlans) if found is None else found

    return tell
