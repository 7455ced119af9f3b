# SPDX-License-Identifier: Apache-2.0
"""The picture of a bench's results."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from openfex.proof.bench.plot import WIDTH, draw
from openfex.proof.bench.ratios import Comparison
from openfex.proof.bench.rows import ROWS, Result

SVG = "{http://www.w3.org/2000/svg}"


def results(low: float, high: float, rounds: int = 12) -> list[Result]:
    found = Comparison(1.0, 1.0, (low * high) ** 0.5, low, high, rounds)
    return [Result(row, peer, found) for row in ROWS.values() for peer in row.peers]


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.1), (1.0, 1.0), (0.001, 0.002), (50.0, 900.0)])
def test_everything_is_on_the_picture(low: float, high: float) -> None:
    found = results(low, high)
    root = ElementTree.fromstring(draw(found, "a <machine> & its CPUs"))
    height = float(root.attrib["height"])
    dots = root.findall(f"{SVG}circle")
    assert len(dots) == len(found)
    for dot in dots:
        assert 0 < float(dot.attrib["cx"]) < WIDTH
        assert 0 < float(dot.attrib["cy"]) < height
    for line in root.findall(f"{SVG}line"):
        assert float(line.attrib["x1"]) <= float(line.attrib["x2"])
    words = [text.text for text in root.findall(f"{SVG}text")]
    assert "a <machine> & its CPUs" in words
    assert {row.name for row in ROWS.values()} <= set(words)


def test_a_bar_says_what_it_is() -> None:
    assert "95 % interval" in draw(results(1, 2), "")
    assert "95 % interval" not in draw(results(1, 2, rounds=3), "")


def test_the_same_results_give_the_same_picture() -> None:
    assert draw(results(0.5, 0.7), "m") == draw(results(0.5, 0.7), "m")
