# SPDX-License-Identifier: Apache-2.0
"""A compiled ACL gives what its rules say one after the other, whatever they say and whatever a frame has."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from openfex.model.policy import Rule
from openfex.rules.classes import compile_acl, match, walk
from openfex.rules.packet import Subject
from openfex.rules.trees import LEAF, LONGEST_RUN, RUN, cut, join, vector_of
from openfex.testing.strategies import acl_traffic

OCTETS = 2
keys = st.integers(0, 0x2FF) | st.integers(0, 0xFFFF)
reaches = st.lists(st.tuples(keys, keys).map(lambda pair: (min(pair), max(pair))), max_size=4)


@given(acl_traffic())
def test_the_trees_find_the_first_rule_that_matches(traffic: tuple[tuple[Rule, ...], list[Subject]]) -> None:
    rules, subjects = traffic
    acl = compile_acl(rules)
    for subject in subjects:
        assert walk(acl, subject) == match(rules, subject)


@given(acl_traffic(most=1))
def test_every_reference_leads_on_and_to_a_leaf(traffic: tuple[tuple[Rule, ...], list[Subject]]) -> None:
    acl = compile_acl(traffic[0])
    everything = [*acl.roots, *(one for node in acl.nodes for one in node), *(run.equal for run in acl.runs)]
    leaves = [one for one in everything if one & LEAF]
    assert all((one & ~RUN) < len(acl.runs if one & RUN else acl.nodes) for one in everything if not one & LEAF)
    assert all(one & LEAF for one in (*acl.absent, *(run.other for run in acl.runs)))
    assert all(vector_of(one) < len(acl.vectors) for one in (*leaves, *acl.absent, *(run.other for run in acl.runs)))
    assert all(1 <= len(run.octets) <= LONGEST_RUN for run in acl.runs)
    assert all(len(node) == 256 for node in acl.nodes)
    for held in (acl.nodes, acl.runs, acl.vectors):
        assert len(set(held)) == len(held)
    assert all(vector < 1 << 64 * acl.words or not vector for vector in acl.vectors)


@given(reaches)
def test_joined_reaches_are_the_same_keys_apart(wide: list[tuple[int, int]]) -> None:
    joined = join(wide)
    assert {key for first, last in joined for key in range(first, last + 1)} == {
        key for first, last in wide for key in range(first, last + 1)
    }
    assert all(after > last + 1 for (_, last), (after, _) in pairwise(joined))


@given(st.lists(reaches, max_size=5), st.lists(keys, min_size=1, max_size=20))
def test_pieces_have_the_vector_of_each_key(wide: list[list[tuple[int, int]]], some: list[int]) -> None:
    base = 1 << len(wide)
    pieces = cut(base, dict(enumerate(wide)), OCTETS)
    assert pieces == sorted(pieces)
    for key in some:
        bits = sum(1 << bit for bit, own in enumerate(wide) if any(first <= key <= last for first, last in own))
        assert [vector for start, vector in pieces if start <= key][-1] == base | bits
