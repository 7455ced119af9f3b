# SPDX-License-Identifier: Apache-2.0
"""Shapes become classes of queues, and these the same shapes again; what else a queue may be is none of ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.adapter.shaping import DEFAULT, NO_SHAPE, classes_of, read_shape
from openfex.datapath.abi import QUEUE
from openfex.linux import queues
from openfex.linux.queues import HANDLE, QueueClass
from openfex.linux.rtnetlink import Answer
from openfex.model.shape import PCPS, Shape, Share

RATES = st.integers(8_000, 50 * 10**9)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Each PCP in one share."""
    owners = [draw(st.integers(0, 3)) for _ in PCPS]
    pcps = [frozenset(pcp for pcp in PCPS if owners[pcp] == owner) for owner in set(owners)]
    return Shape(draw(RATES), frozenset(Share(one, draw(RATES)) for one in pcps))


@given(shapes())
def test_a_shape_reads_back(shape: Shape) -> None:
    classes = classes_of(shape)
    assert read_shape(classes) == shape
    leaves = [one for one in classes if HANDLE | one.number in range(QUEUE, QUEUE + 8)]
    assert [one.number for one in leaves] == list(range(DEFAULT, DEFAULT + 8))


@given(shapes())
def test_a_class_is_made_and_told_in_the_same_words(shape: Shape) -> None:
    """What the kernel is told, it tells in the same layout: tests/netns/test_shapes.py asks it."""
    for one in classes_of(shape):
        assert queues.read_class(Answer(queues.RTM_NEWTCLASS, queues.htb_class(7, one))) == one


def test_no_shape_is_no_classes() -> None:
    assert classes_of(None) == []
    assert read_shape([]) is None


GOOD = classes_of(Shape(10**6, frozenset({Share(frozenset({5}), 10**5), Share(PCPS - {5}, 9 * 10**5)})))


@pytest.mark.parametrize(
    "classes",
    [
        GOOD[1:],
        GOOD[:-1],
        [*GOOD[:-1], replace(GOOD[-1], rate=7)],
        [*GOOD[:-1], replace(GOOD[-1], most=7)],
        [*GOOD, QueueClass(0x40, 1, 1, 1)],
    ],
    ids=["no wire", "a PCP less", "another rate", "another ceiling", "one more"],
)
def test_what_somebody_has_changed_is_no_shape_of_ours(classes: list[QueueClass]) -> None:
    assert read_shape(classes) == NO_SHAPE


@pytest.mark.parametrize("handle", [0x20010, 0x8001_0001])
def test_classes_of_another_qdisc_are_not_ours(handle: int) -> None:
    body = bytearray(queues.htb_class(7, GOOD[0]))
    body[8:12] = handle.to_bytes(4, "little")
    assert queues.read_class(Answer(queues.RTM_NEWTCLASS, bytes(body))) is None
