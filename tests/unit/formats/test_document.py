# SPDX-License-Identifier: Apache-2.0
"""A wish as a document of ours."""

from __future__ import annotations

import pytest

from openfex.errors import InputError
from openfex.formats.document import write_document
from openfex.model.functions import (
    ALL_FUNCTIONS,
    AdapterWish,
    FunctionDriver,
    HwMode,
    LinkState,
    Selector,
    Settings,
    TagProtocol,
)
from openfex.model.source import read_sources
from openfex.model.values import Mac

ALL = Settings(
    mac=Mac.parse("52:54:00:00:00:01"),
    vlan=10,
    qos=3,
    protocol=TagProtocol.DOT1AD,
    min_rate=100,
    max_rate=10_000,
    spoof_check=True,
    trust=False,
    link=LinkState.UP,
    rss_query=True,
    driver=FunctionDriver.VFIO,
    purpose="database",
)


def test_every_key_is_written() -> None:
    settings = (
        (*ALL_FUNCTIONS, Settings(vlan=0, max_rate=0)),
        (0, 1, Settings(driver=FunctionDriver.NONE)),
        (5, 5, ALL),
    )
    pfs = (Selector("0000:01:00.0"), Selector(name="eno1"), Selector(vendor="8086", device="10c9", driver="igb"))
    wish = AdapterWish("nic0", pfs, 8, HwMode.VEPA, False, settings=settings)
    assert write_document(wish) == (
        "kind: adapter\n"
        "name: nic0\n"
        "spec:\n"
        "  driver: sriov\n"
        '  pfs: ["0000:01:00.0", eno1, {vendor: "8086", device: "10c9", driver: igb}]\n'
        "  functions: 8\n"
        "  hwmode: vepa\n"
        "  autoprobe: false\n"
        "  settings:\n"
        "    all: {vlan: 0, rate: {max: 0}}\n"
        '    "0-1": {driver: none}\n'
        '    "5": {mac: "52:54:00:00:00:01", vlan: 10, qos: 3, protocol: "802.1ad", rate: {min: 100Mbit, max: 10Gbit}, '
        "spoof-check: true, trust: false, link: up, rss-query: true, driver: vfio-pci, purpose: database}\n"
    )


def test_what_is_not_said_is_not_written() -> None:
    assert write_document(AdapterWish("nic0", ())) == "kind: adapter\nname: nic0\nspec:\n  driver: sriov\n  pfs: []\n"


def test_a_range_of_functions_stands_behind_each_pf() -> None:
    wish = AdapterWish("nic0", (Selector(name="eno1"), Selector("0000:01:00.0", driver="igb")), 8, numbers=(0, 3))
    assert '  pfs: ["eno1#0-3", {address: "0000:01:00.0#0-3", driver: igb}]\n' in write_document(wish)


def test_a_pool_is_written_as_it_is_said() -> None:
    pool = Settings(mac_pool=Mac.parse("52:54:00:00:10:00"))
    assert 'all: {mac-pool: "52:54:00:00:10:00"}' in write_document(
        AdapterWish("a", (), settings=((*ALL_FUNCTIONS, pool),))
    )


def test_a_range_that_is_said_twice_is_written_once() -> None:
    twice = ((0, 1, Settings(vlan=1, trust=True)), (0, 1, Settings(vlan=2)))
    assert '    "0-1": {vlan: 2, trust: true}\n' in write_document(AdapterWish("a", (), settings=twice))


@pytest.mark.parametrize("name", ["null", "true", "no", "On", "y", "0123", "1e3"])
def test_names_that_look_like_something_else_stay_names(name: str) -> None:
    (source,) = read_sources(write_document(AdapterWish(name, (Selector(name=name),))))
    assert isinstance(source.value, dict)
    assert (source.value["name"], source.value["spec"]["pfs"]) == (name, [name])


@pytest.mark.parametrize(
    ("pf", "numbers"), [(Selector("0000:01:00.0", "eno1"), None), (Selector(driver="igb"), (0, 3))]
)
def test_what_a_document_cannot_say_is_refused(pf: Selector, numbers: tuple[int, int] | None) -> None:
    with pytest.raises(InputError) as refused:
        write_document(AdapterWish("a", (pf,), numbers=numbers))
    assert refused.value.code == "bad-pf"
