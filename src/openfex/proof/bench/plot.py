# SPDX-License-Identifier: Apache-2.0
"""The results as a picture (SVG): a dot a ratio, a bar its interval, a mark the budget, on a logarithmic axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from openfex.proof.bench.ratios import interval_words
from openfex.proof.bench.rows import NOBODY, Result

WIDTH, LEFT, RIGHT = 860, 250, 190
TOP, STEP, BOTTOM = 64, 30, 60
TICKS = (0.1, 0.2, 0.25, 0.5, 1, 2, 4, 5, 10, 20)
MARGIN = 1.15
"""Room beside the outermost value, as a factor."""
INK, FAINT, GOOD, BAD, PLAIN = "#222", "#ccc", "#1a7f37", "#c0392b", "#0b5cad"
STYLE = "text{font:13px sans-serif;fill:#222}.s{font-size:11px;fill:#555}.h{font-size:15px;font-weight:bold}"

Scale = Callable[[float], float]


def _scale(results: Sequence[Result]) -> tuple[float, float, Scale]:
    values = [0.5, 2.0]
    for one in results:
        values += [one.found.low, one.found.high, one.row.peers[one.peer] or 1.0]
    low, high = min(values) / MARGIN, max(values) * MARGIN
    room = WIDTH - LEFT - RIGHT
    return low, high, lambda value: LEFT + room * math.log(value / low) / math.log(high / low)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{css} text-anchor="{anchor}">{escape(words)}</text>'


def _line(at: Sequence[float], colour: str, width: float = 1) -> str:
    x1, y1, x2, y2 = at
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _result(one: Result, y: float, x: Scale) -> list[str]:
    found, budget = one.found, one.row.peers[one.peer]
    colour = {None: PLAIN, True: GOOD, False: BAD}[one.is_within_budget]
    better = "" if one.row.more else ", less is better"
    parts = [
        _text(12, y - 1, one.row.name),
        _text(12, y + 11, f"beside {'its budget' if one.peer == NOBODY else one.peer}{better}", "s"),
        _line((x(found.low), y, x(found.high), y), colour, 5),
        f'<circle cx="{x(found.ratio):.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>',
        _text(WIDTH - RIGHT + 14, y + 4, f"{found.ratio:.2f}  ({found.low:.2f} to {found.high:.2f})"),
    ]
    if budget is not None:
        parts.append(_line((x(budget), y - 11, x(budget), y + 11), INK, 2))
    return parts


def draw(results: Sequence[Result], machine: str) -> str:
    """The picture of these results; `machine` says where they were measured."""
    low, high, x = _scale(results)
    end = TOP + STEP * len(results)
    parts = [_text(12, 24, "fex bench: ours / theirs", "h")]
    bar = interval_words(min((one.found.rounds for one in results), default=0))
    parts.append(_text(12, 42, f"dot: median of the rounds' ratios; bar: {bar}; mark: the budget", "s"))
    for tick in TICKS:
        if low < tick < high:
            parts.append(_line((x(tick), TOP - 8, x(tick), end), INK if tick == 1 else FAINT))
            parts.append(_text(x(tick), end + 16, f"{tick:g}", "s", "middle"))
    for number, one in enumerate(results):
        parts += _result(one, TOP + STEP * number + 10, x)
    parts.append(_text(12, end + 40, machine, "s"))
    size = f'width="{WIDTH}" height="{end + BOTTOM}" viewBox="0 0 {WIDTH} {end + BOTTOM}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n'
    return head + '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
