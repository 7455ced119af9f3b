# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import InputError, WireError
from openfex.protocol.cdcp import (
    MOST_GIVEN,
    CdcpBridge,
    CdcpStation,
    ChannelGiven,
    ChannelsRefused,
    ChannelWithdrawn,
    SvidPool,
)
from openfex.wire.cdcp import DEFAULT, Cdcp, CdcpRole, SChannel


def asks(*pairs: tuple[int, int]) -> Cdcp:
    return Cdcp(CdcpRole.STATION, (DEFAULT, *(SChannel(*pair) for pair in pairs)))


def gives(*pairs: tuple[int, int]) -> Cdcp:
    return Cdcp(CdcpRole.BRIDGE, (DEFAULT, *(SChannel(*pair) for pair in pairs)))


def wanting(*scids: int) -> CdcpStation:
    station = CdcpStation()
    assert station.ask(scids) == []
    return station


def test_an_end_that_wants_and_has_nothing_says_the_default_channel() -> None:
    assert CdcpStation().says == asks()
    assert CdcpBridge(SvidPool()).says == gives()


def test_a_station_asks_without_svid_and_repeats_what_it_was_given() -> None:
    station = wanting(5, 7)
    assert station.says == asks((5, 0), (7, 0))
    assert station.receive(gives((5, 105), (7, 107))) == [ChannelGiven(5, 105), ChannelGiven(7, 107)]
    assert station.says == asks((5, 105), (7, 107))
    assert station.receive(gives((5, 105), (7, 107))) == []


def test_a_bridge_gives_each_an_svid_of_its_pool() -> None:
    bridge = CdcpBridge(SvidPool(100, 199))
    assert bridge.receive(asks((2, 0), (3, 0))) == [ChannelGiven(2, 100), ChannelGiven(3, 101)]
    assert bridge.says == Cdcp(CdcpRole.BRIDGE, (DEFAULT, SChannel(2, 100), SChannel(3, 101)), capacity=101)
    assert bridge.receive(asks((2, 0), (3, 0))) == []


def test_what_comes_and_goes_touches_no_other() -> None:
    bridge = CdcpBridge(SvidPool(100, 102))
    bridge.receive(asks((2, 0), (3, 0), (4, 0)))
    assert bridge.receive(asks((4, 102), (2, 100))) == [ChannelWithdrawn(3, 101)]
    assert bridge.receive(asks((9, 0), (2, 100), (4, 102))) == [ChannelGiven(9, 101)]
    assert bridge.given == {2: 100, 4: 102, 9: 101}


def test_what_comes_back_has_the_svid_that_it_had() -> None:
    bridge = CdcpBridge(SvidPool(100, 199))
    bridge.receive(asks((2, 0), (9, 0)))
    bridge.receive(asks((9, 107)))
    bridge.receive(asks((8, 0), (9, 107), (2, 0)))
    assert bridge.given == {9: 107, 8: 106, 2: 100}


def test_an_svid_that_a_station_names_is_not_listened_to() -> None:
    bridge = CdcpBridge(SvidPool(100, 199))
    bridge.receive(asks((2, 150)))
    assert bridge.given == {2: 100}
    assert bridge.receive(asks((2, 150), (3, 100))) == [ChannelGiven(3, 101)]


def test_when_the_pool_is_empty_what_is_beyond_is_refused_once_and_given_later() -> None:
    bridge = CdcpBridge(SvidPool(100, 101))
    wish = asks((2, 0), (3, 0), (4, 0), (5, 0))
    given = [ChannelGiven(2, 100), ChannelGiven(3, 101)]
    assert bridge.receive(wish) == [*given, ChannelsRefused((4, 5))]
    assert bridge.says == Cdcp(
        CdcpRole.BRIDGE, (DEFAULT, SChannel(2, 100), SChannel(3, 101), SChannel(4, 0), SChannel(5, 0)), capacity=3
    )
    assert bridge.receive(wish) == []
    assert bridge.receive(asks((3, 0), (4, 0), (5, 0))) == [ChannelWithdrawn(2, 100), ChannelGiven(4, 100)]
    assert bridge.says.channels[-1] == SChannel(5, 0)


def test_a_bridge_without_svids_refuses_all() -> None:
    bridge = CdcpBridge(SvidPool(100, 99))
    assert bridge.receive(asks((2, 0))) == [ChannelsRefused((2,))]
    assert bridge.says.capacity == 1


def test_a_station_sees_what_is_refused_once_and_what_is_given_after_all() -> None:
    station = wanting(2, 3)
    assert station.receive(gives((2, 100), (3, 0))) == [ChannelGiven(2, 100), ChannelsRefused((3,))]
    assert station.receive(gives((2, 100), (3, 0))) == []
    assert station.says == asks((2, 100), (3, 0))
    assert station.receive(gives((2, 100), (3, 101))) == [ChannelGiven(3, 101)]
    assert station.receive(gives((2, 100), (3, 0))) == [ChannelWithdrawn(3, 101), ChannelsRefused((3,))]


def test_what_is_asked_for_again_is_refused_again() -> None:
    station = wanting(2)
    station.receive(gives((2, 0)))
    station.ask([])
    station.ask([2])
    assert station.receive(gives((2, 0))) == [ChannelsRefused((2,))]


def test_a_station_sees_what_is_changed_and_withdrawn() -> None:
    station = wanting(2, 3)
    station.receive(gives((2, 100), (3, 101)))
    assert station.receive(gives((2, 100), (3, 150))) == [ChannelWithdrawn(3, 101), ChannelGiven(3, 150)]
    assert station.receive(gives((3, 150))) == [ChannelWithdrawn(2, 100)]
    assert station.given == {3: 150}
    assert station.says == asks((2, 0), (3, 150))


def test_what_a_station_does_not_want_any_more_is_gone_at_once() -> None:
    station = wanting(2, 3)
    station.receive(gives((2, 100), (3, 101)))
    assert station.ask([3, 4]) == [ChannelWithdrawn(2, 100)]
    assert station.says == asks((3, 101), (4, 0))
    assert station.receive(gives((2, 100), (3, 101))) == []


@pytest.mark.parametrize(
    "wrong",
    [gives((9, 100)), gives((2, 1)), gives((2, 4095)), gives((0, 0), (1, 5)), asks((2, 100)), None],
    ids=["not wanted", "the default's", "reserved", "no channel", "a station", "silence"],
)
def test_a_station_ignores_what_makes_no_channel(wrong: Cdcp | None) -> None:
    station = wanting(2)
    assert station.receive(wrong) == []
    assert station.says == asks((2, 0))


def test_of_two_channels_with_one_number_a_station_takes_the_first() -> None:
    station = wanting(2, 3)
    assert station.receive(gives((2, 100), (2, 101), (3, 100))) == [ChannelGiven(2, 100)]


def test_an_end_that_hears_nothing_or_its_like_changes_nothing() -> None:
    station, bridge = CdcpStation({2: 100}), CdcpBridge(SvidPool(), {2: 100})
    assert station.receive(None) == station.receive(asks()) == bridge.receive(None) == bridge.receive(gives()) == []
    assert station.given == bridge.given == {2: 100}


def test_after_a_restart_what_there_was_is_confirmed() -> None:
    station, bridge = CdcpStation({2: 150, 3: 7}), CdcpBridge(SvidPool(100, 199), {2: 150, 3: 7})
    assert station.says == asks((2, 150), (3, 7))
    assert bridge.receive(station.says) == station.receive(bridge.says) == []
    assert bridge.receive(asks((2, 150), (3, 7), (52, 0))) == [ChannelGiven(52, 151)]
    assert station.ask([2, 3]) == []


def test_a_list_holds_no_more_than_cdcp_can_carry() -> None:
    station, bridge = CdcpStation(), CdcpBridge(SvidPool())
    assert station.ask(range(2, 2 + MOST_GIVEN + 3)) == [ChannelsRefused((168, 169, 170))]
    assert len(station.says.channels) == Cdcp.MOST_CHANNELS
    assert len(bridge.receive(station.says)) == MOST_GIVEN
    assert bridge.says.capacity == len(bridge.says.channels) == Cdcp.MOST_CHANNELS


def test_what_has_a_place_in_the_list_keeps_it() -> None:
    station = wanting(*range(100, 100 + MOST_GIVEN))
    station.receive(gives((265, 5)))
    assert station.ask(range(99, 266)) == [ChannelsRefused((99,))]
    assert station.given == {265: 5}


def test_a_list_without_the_default_channel_asks_for_one_too_many() -> None:
    bridge = CdcpBridge(SvidPool())
    full = Cdcp(CdcpRole.STATION, tuple(SChannel(scid, 0) for scid in range(2, 169)))
    assert bridge.receive(full)[-1] == ChannelsRefused((168,))
    assert bridge.says.channels[0] == DEFAULT
    assert len(bridge.says.channels) == Cdcp.MOST_CHANNELS


def test_scids_that_cannot_be_are_refused() -> None:
    station, bridge = CdcpStation(), CdcpBridge(SvidPool())
    assert station.ask([0, 1, 2, 4094, 4095]) == [ChannelsRefused((0, 4095))]
    assert station.says == asks((2, 0), (4094, 0))
    assert bridge.receive(asks((0, 0), (4095, 0))) == [ChannelsRefused((0, 4095))]


def test_a_pool_holds_svids_that_can_be() -> None:
    assert SvidPool().size == 4093
    for low, high in ((1, 10), (2, 4095)):
        with pytest.raises(InputError):
            SvidPool(low, high)


def test_more_than_a_list_can_hold_is_no_memory_of_cdcp() -> None:
    bridge = CdcpBridge(SvidPool(), {scid: scid for scid in range(2, 3 + MOST_GIVEN)})
    with pytest.raises(WireError, match="167 channels at most"):
        assert bridge.says.channels
