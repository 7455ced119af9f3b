# SPDX-License-Identifier: Apache-2.0
"""Values as people write them: what is read, and what is not."""

from __future__ import annotations

import pytest

from openfex.errors import InputError
from openfex.model.addresses import parse_address, parse_mac
from openfex.model.forms import Written
from openfex.model.names import parse_device, parse_function, parse_name, parse_wire
from openfex.model.quantities import format_vlans, parse_duration, parse_truth, parse_vlan, parse_vlans
from openfex.model.wording import as_yaml, choose, either, many, nearest, shown
from openfex.model.written import VALUES


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (10, {10}),
        ("10", {10}),
        ("10,20-22", {10, 20, 21, 22}),
        (" 10 , 20 - 22 ", {10, 20, 21, 22}),
        ([10, "20-22"], {10, 20, 21, 22}),
        ("7-7", {7}),
        ("all", set(range(1, 4095))),
    ],
)
def test_vlans(written: object, read: set[int]) -> None:
    assert parse_vlans(written) == read


@pytest.mark.parametrize(
    "written", ["", [], {}, "10,", "a", "20-10", "0", "4095", "1-4095", True, 1.5, None, ["all"], "²"]
)
def test_what_are_no_vlans(written: object) -> None:
    with pytest.raises(InputError) as refused:
        parse_vlans(written)
    assert refused.value.code == "bad-vlan"


@pytest.mark.parametrize("written", ["10,10", "10-20,15", "15,10-20", [10, 10], ["1-5", "5-9"]])
def test_vlans_that_overlap(written: object) -> None:
    with pytest.raises(InputError) as refused:
        parse_vlans(written)
    assert refused.value.code == "overlapping-vlans"


def test_vlans_are_written_short() -> None:
    assert format_vlans({10, 20, 21, 22, 30, 31}) == "10,20-22,30-31"


@pytest.mark.parametrize("written", [0, 4095, -1, True, "ten", "1.5", None, [10], 10**30])
def test_what_is_no_vlan(written: object) -> None:
    with pytest.raises(InputError):
        parse_vlan(written)


def test_durations() -> None:
    assert [parse_duration(text) for text in ("250ms", "300s", "5m", "1h", "1000000s")] == [
        250,
        300_000,
        300_000,
        3_600_000,
        10**9,
    ]
    for wrong in ("0s", "5", 5, "5 s", "-5s", "1000001s", "1e3s", "9" * 30 + "h", "²s"):
        with pytest.raises(InputError):
            parse_duration(wrong)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("10.0.10.1/24", "10.0.10.1/24"),
        ("10.0.10.1", "10.0.10.1/32"),
        ("10.0.10.0/31", "10.0.10.0/31"),
        ("10.0.10.0/32", "10.0.10.0/32"),
        ("FD00:0:0::1/64", "fd00::1/64"),
        ("fd00::/64", "fd00::/64"),
        ("169.254.1.1/16", "169.254.1.1/16"),
    ],
)
def test_addresses(written: str, read: str) -> None:
    assert parse_address(written) == read


def test_macs() -> None:
    assert str(parse_mac("52:54:00:AB:cd:01")) == "52:54:00:ab:cd:01"
    for bare in ("5254.00ab.cd01", "52-54-00-AB-CD-01", "525400abcd01"):
        with pytest.raises(InputError) as refused:
            parse_mac(bare)
        assert refused.value.remedy == "write 52:54:00:ab:cd:01"


def test_names() -> None:
    assert [parse_name(name) for name in ("a", "sw-a", "0", 82599, "a" * 40)] == ["a", "sw-a", "0", "82599", "a" * 40]
    assert [parse_device(name) for name in ("eth0", "Up_a.1-x", 7)] == ["eth0", "Up_a.1-x", "7"]
    strangers: tuple[object, ...] = ("", "-a", "a-", "A", "a_b", "a.b", "a" * 41, "a\n", True, None, 1.5, [], {})
    for wrong in strangers:
        with pytest.raises(InputError):
            parse_name(wrong)
    for wrong in ("", "-a", ".", "a b", "a/b", "a:b", "a" * 16, "a\n", True):
        with pytest.raises(InputError):
            parse_device(wrong)


def test_functions_and_wires() -> None:
    assert parse_function("h1-nic0/12") == "h1-nic0/12"
    assert parse_wire(["sw-a/up0", "sw-b/up0"]) == ("sw-a/up0", "sw-b/up0")
    for wrong in ("h1-nic0", "h1-nic0/", "/1", "h1-nic0/01", "h1-nic0/-1", "H/1", "a/1\n"):
        with pytest.raises(InputError):
            parse_function(wrong)
    for broken in (["a/b"], ["a/b", "c/d", "e/f"], ["a", "b/c"], ["a/b", 3], "a/b"):
        with pytest.raises(InputError):
            parse_wire(broken)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.name)
def test_no_value_takes_nothing_or_a_mapping(value: Written) -> None:
    nothings: tuple[object, ...] = (None, {}, {"a": 1}, [[]], object())
    for wrong in nothings:
        with pytest.raises(InputError) as refused:
            value.read(wrong)
        assert refused.value.code in value.codes or refused.value.code == "bad-value"


def test_values_are_quoted_shortly() -> None:
    given = ["a", 1, True, None, [1, "a"], {"a": {}}, "x" * 50]
    assert [shown(one) for one in given] == ["'a'", "1", "true", "nothing", "[1, a]", "{a: {}}", "'" + "x" * 39 + "…"]


def test_what_was_meant_is_named() -> None:
    assert nearest("machin", ["network", "machine"]) == "machine"
    assert nearest("VIC1280", ["vic-1240", "vic-1280"]) == "vic-1280"
    assert nearest("x", ["network"]) is None
    assert choose("wbe", ["web", "db"], "profiles") == "did you mean web?"
    assert choose("x", ["web", "db"], "profiles") == "the profiles are: web, db"
    assert choose("x", [], "profiles") == "there are no profiles"
    assert choose("x", map(str, range(12)), "ports").endswith("8, 9 and 2 more")


def test_truth() -> None:
    assert [parse_truth(one) for one in (True, False, "true", "false")] == [True, False, True, False]
    for wrong in (0, 1, "yes", "True"):
        with pytest.raises(InputError):
            parse_truth(wrong)


def test_small_words() -> None:
    assert [many(count, "port") for count in (0, 1, 2)] == ["no port", "1 port", "2 ports"]
    assert [either(words) for words in ("a", "ab", "abc")] == ["a", "a or b", "a, b or c"]
    assert as_yaml({"a": ["b", 1, True, None, "1", "x:y", "10.0.0.1/8", "5m", "a b"]}) == (
        '{a: [b, 1, true, null, "1", "x:y", 10.0.0.1/8, 5m, "a b"]}'
    )
