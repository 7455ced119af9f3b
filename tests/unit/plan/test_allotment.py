# SPDX-License-Identifier: Apache-2.0
"""What was given is kept, and given to nobody else."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from openfex.model.reader import Reading, read_documents
from openfex.model.values import ChannelKind
from openfex.plan.allotment import Allotment, Span, allot, allot_spans, allotment_of
from openfex.plan.layout import lay_out
from openfex.proof import topology

NAMES = st.sampled_from("abcdefgh")
SIZES = st.dictionaries(NAMES, st.integers(1, 128), max_size=8)


@given(st.lists(NAMES, unique=True), st.dictionaries(NAMES, st.integers(1, 6), max_size=6))
def test_who_has_a_number_keeps_it_others_get_the_first_free(names: list[str], before: dict[str, int]) -> None:
    held = {name: number for number, name in {number: name for name, number in before.items()}.items()}
    found = allot(names, held, range(1, 6))
    assert len(set(found.values())) == len(found) == min(len(names), 5)
    kept = {name: held[name] for name in names if held.get(name, 6) < 6}
    assert kept.items() <= found.items()
    others = [found[name] for name in names if name in found and name not in kept]
    assert others == [number for number in range(1, 6) if number not in kept.values()][: len(others)]


@given(SIZES, st.data())
def test_spans_are_apart_and_are_kept(sizes: dict[str, int], data: st.DataObject) -> None:
    first = data.draw(st.lists(st.sampled_from(sorted(sizes)), unique=True) if sizes else st.just([]))
    before = allot_spans({name: sizes[name] for name in first}, {}, 4094)
    found = allot_spans(sizes, before, 4094)
    assert found.keys() == sizes.keys()
    assert before.items() <= found.items()
    runs = sorted((span.base, span.base + sizes[name]) for name, span in found.items())
    assert all(end <= start for (_, end), (start, _) in pairwise(runs))
    assert len({span.slot for span in found.values()}) == len(found)


def test_an_adapter_that_has_grown_is_given_another_run() -> None:
    before = allot_spans({"a": 8, "b": 8}, {}, 100)
    after = allot_spans({"a": 16, "b": 8}, before, 100)
    assert before["b"] == after["b"] == Span(1, 8)
    assert after["a"] == Span(0, 16)


def test_who_finds_no_channels_gets_none() -> None:
    assert allot_spans({"a": 60, "b": 60}, {}, 100).keys() == {"a"}


def test_an_allotment_is_read_as_it_was_written() -> None:
    given_by = allotment_of(topology.layout(ChannelKind.ETAG))
    assert given_by.nics
    assert Allotment.from_json(json.loads(json.dumps(given_by.to_json()))) == given_by


def test_the_same_documents_are_laid_out_the_same_again() -> None:
    documents = read_documents(topology.documents(ChannelKind.VNTAG))
    layout = lay_out(documents)
    assert lay_out(documents, allotment_of(layout)) == layout
    assert lay_out(Reading(tuple(reversed(documents))), allotment_of(layout)).bindings[::-1] == layout.bindings
