# SPDX-License-Identifier: Apache-2.0
"""YAML to plain values, and back to lines."""

from __future__ import annotations

import pytest

from openfex.model.source import Source, read_sources


def read(text: str) -> list[Source]:
    return list(read_sources(text))


def value(text: str) -> object:
    (source,) = read(f"- {text}\n")
    assert source.problems == ()
    assert isinstance(source.value, list)
    return source.value[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10", 10),
        ("-1", -1),
        ("0", 0),
        ("007", "007"),
        ("+5", "+5"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("9" * 30, "9" * 30),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("12:30", "12:30"),
        ("2026-11-24", "2026-11-24"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("~", None),
        ("", None),
        ('"10"', "10"),
        ("'true'", "true"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("{1: 2, true: 3}", {"1": 2, "true": 3}),
    ],
)
def test_scalars_are_what_they_look_like(text: str, wanted: object) -> None:
    assert value(text) == wanted
    assert type(value(text)) is type(wanted)


TEXT = """\
# above
kind: host
name: h1
spec:
  uplinks:
    a: {device: up-a,
        bridge: sw-a}
  ports: [up0,
          up1]
--- # second
kind: host
"""


@pytest.mark.parametrize(
    ("place", "line", "there"),
    [
        ((), 2, 0),
        (("spec",), 4, 1),
        (("spec", "uplinks", "a", "bridge"), 7, 4),
        (("spec", "uplinks", "a", "mtu"), 6, 3),
        (("spec", "uplinks", "b", "mtu"), 5, 2),
        (("spec", "ports", "up1"), 9, 3),
        (("spec", "ports", 1), 9, 3),
        (("spec", "ports", 2), 8, 2),
        (("spec", "ports", "up1", "profile"), 9, 3),
        (("name", "x"), 3, 1),
    ],
)
def test_places_have_lines(place: tuple[str | int, ...], line: int, there: int) -> None:
    first, second = read(TEXT)
    assert first.find(place) == (line, place[:there])
    assert second.find(("kind",)) == (11, ("kind",))


def test_documents_are_cut_where_yaml_cuts_them() -> None:
    assert [one.value for one in read("---\n---\na: 1\n---\nb: --- 2\n...\nc: |\n  x\n  ---\n--- [d]\n")] == [
        {"a": 1},
        {"b": "--- 2"},
        {"c": "x\n---\n"},
        ["d"],
    ]


def test_a_broken_document_hides_no_other_and_is_guessed() -> None:
    first, second, third = read("kind: a\n---\nkind: host\nname: h1\nspec: {\n---\nkind: b\n")
    assert (first.value, third.value) == ({"kind": "a"}, {"kind": "b"})
    assert second.value == {"kind": "host", "name": "h1"}
    assert second.root is None
    assert [(one.line, one.column, one.code) for one in second.problems] == [(6, 1, "bad-yaml")]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: b\x07", 1, 5, "the character U+0007 is not allowed in YAML"),
        ("x: 1\n---\na: \x00", 3, 4, "the character U+0000 is not allowed in YAML"),
        ("[" * 5000, 1, 1, "brackets or mappings are nested too deep"),
        ("a: - b\n", 1, 4, "an item of a list is not expected here"),
        ("a: !", 1, 4, None),
        ("a: | b\n", 1, 6, "behind | or > the line has to end"),
        ("%YAML x\n---\na: 1\n", 1, 7, "the directive of YAML is wrong"),
        ("a: {b: 1,, c: 2}\n", 1, 10, "a value is missing before this"),
        ('a: "\\ud800"', 1, 4, "half of a character is written"),
        ("a: [", 1, 5, "the document ends inside a bracket"),
    ],
)
def test_what_is_no_yaml(text: str, line: int, column: int, message: str | None) -> None:
    found = [problem for source in read(text) for problem in source.problems]
    if message is None:
        assert not found
    else:
        assert [(one.line, one.column, one.message) for one in found] == [(line, column, message)]


def test_collections_have_no_tags_either() -> None:
    (source,) = read("a: !!set {b}\nc: !mine [d]\n")
    assert [one.message for one in source.problems] == [
        "the tag !!set has no meaning here",
        "the tag !mine has no meaning here",
    ]


def test_aliases_of_aliases_are_cut_off() -> None:
    """Thirty lines that would be 8 to the power of 30 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 30)]
    (source,) = read("\n".join(lines))
    assert [one.message for one in source.problems] == [
        "with all aliases written out these are more than 1000000 values"
    ]
