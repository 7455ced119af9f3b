# SPDX-License-Identifier: Apache-2.0
"""Ranges of functions in their normal form."""

from __future__ import annotations

from openfex.formats.ranges import each, flat, gathered
from openfex.model.functions import ALL_FUNCTIONS, Settings
from openfex.model.values import Mac

TRUSTED, TAGGED = Settings(trust=True), Settings(vlan=10)


def mac(last: int) -> Mac:
    return Mac(bytes((0x52, 0x54, 0, 0, 0, last)))


def test_the_later_range_wins_setting_by_setting() -> None:
    assert flat([(0, 5, TRUSTED), (2, 3, Settings(trust=False, vlan=1)), (3, 3, TAGGED)]) == (
        (0, 1, TRUSTED),
        (2, 2, Settings(trust=False, vlan=1)),
        (3, 3, Settings(trust=False, vlan=10)),
        (4, 5, TRUSTED),
    )


def test_equal_neighbours_are_one_and_gaps_stay() -> None:
    assert flat([(4, 4, TRUSTED), (0, 1, TRUSTED), (2, 2, TRUSTED), (7, 6, TAGGED), (3, 3, Settings())]) == (
        (0, 2, TRUSTED),
        (4, 4, TRUSTED),
    )


def test_all_functions_are_a_range_like_others() -> None:
    assert flat([(*ALL_FUNCTIONS, TRUSTED), (1, 1, TAGGED)])[-1] == (2, ALL_FUNCTIONS[1], TRUSTED)


def test_what_is_said_function_by_function_is_gathered() -> None:
    assert gathered({2: {"vlan": 10}, 0: {"vlan": 10}, 1: {"vlan": 10}, 5: {}}) == ((0, 2, TAGGED),)


def test_a_pool_goes_on_where_a_range_is_cut() -> None:
    pool = Settings(mac_pool=mac(0x10))
    pieces = flat([(0, 3, pool), (1, 1, Settings(mac=mac(1)))])
    assert [(number, one.mac) for number, one in each(pieces)] == [
        (0, mac(0x10)),
        (1, mac(1)),
        (2, mac(0x12)),
        (3, mac(0x13)),
    ]


def test_a_pool_over_a_mac_is_the_mac() -> None:
    pieces = flat([(0, 0, Settings(mac=mac(1))), (0, 0, Settings(mac_pool=mac(2)))])
    assert list(each(pieces)) == [(0, Settings(mac=mac(2)))]


def test_behind_the_last_mac_there_is_none() -> None:
    pool = Settings(mac_pool=Mac(b"\xff" * 5 + b"\xfe"))
    assert [one.mac for _, one in each(flat([(0, 2, pool)]))] == [Mac(b"\xff" * 5 + b"\xfe"), Mac(b"\xff" * 6), None]
