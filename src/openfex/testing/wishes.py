# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for what is asked of real adapters."""

from __future__ import annotations

from hypothesis import strategies as st

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
from openfex.model.names import DEVICE, LONGEST_DEVICE
from openfex.model.values import LAST_VLAN, Mac

MOST_FUNCTIONS = 40
SOME_RATE, MOST_RATE = 1000, 400_000


def macs() -> st.SearchStrategy[Mac]:
    """Addresses of one station."""
    octets = st.binary(min_size=6, max_size=6).map(lambda one: bytes((one[0] & 0xFE, *one[1:])))
    return octets.filter(any).map(Mac)


def device_names() -> st.SearchStrategy[str]:
    """Names of network devices."""
    return st.from_regex(DEVICE, fullmatch=True).filter(lambda name: len(name) <= LONGEST_DEVICE)


def addresses() -> st.SearchStrategy[str]:
    """PCI addresses."""
    digits = st.integers(0, 0xFF)
    return st.builds("0000:{:02x}:{:02x}.{}".format, digits, st.integers(0, 0x1F), st.integers(0, 7))


def ids() -> st.SearchStrategy[str]:
    """PCI ids."""
    return st.integers(0, 0xFFFF).map("{:04x}".format)


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    """Whatever a document can select by."""
    where = draw(st.sampled_from(("address", "name", "neither")))
    address = draw(addresses()) if where == "address" else ""
    name = draw(device_names()) if where == "name" else ""
    vendor, device, driver = (draw(st.just("") | one) for one in (ids(), ids(), device_names()))
    if not any((address, name, vendor, device, driver)):
        driver = "igb"
    return Selector(address, name, vendor, device, driver)


def settings(*, tagged: bool) -> st.SearchStrategy[Settings]:
    """What a function can be. Two of them, one over the other, are possible, too, if both are `tagged` or none."""
    fields = {
        "mac": macs(),
        "vlan": st.integers(1, LAST_VLAN) if tagged else st.just(0),
        "qos": st.integers(0, 7 if tagged else 0),
        "protocol": st.sampled_from(TagProtocol),
        "min_rate": st.integers(0, SOME_RATE),
        "max_rate": st.just(0) | st.integers(SOME_RATE, MOST_RATE),
        "spoof_check": st.booleans(),
        "trust": st.booleans(),
        "link": st.sampled_from(LinkState),
        "rss_query": st.booleans(),
        "driver": st.sampled_from(FunctionDriver),
        "purpose": st.sampled_from(("database", "no", "007", "a: b")),
    }
    return st.fixed_dictionaries({}, optional=fields).map(lambda said: Settings(**said))


@st.composite
def wishes(draw: st.DrawFn) -> AdapterWish:
    """What a document can ask for, with ranges that overlap."""
    numbers = st.integers(0, MOST_FUNCTIONS)
    spans = st.tuples(numbers, numbers).map(lambda one: (min(one), max(one))) | st.just(ALL_FUNCTIONS)
    ranges = draw(st.lists(st.tuples(spans, settings(tagged=draw(st.booleans()))), max_size=5))
    return AdapterWish(
        draw(st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)),
        tuple(draw(st.lists(selectors(), min_size=1, max_size=3))),
        draw(st.none() | numbers),
        draw(st.none() | st.sampled_from(HwMode)),
        draw(st.none() | st.booleans()),
        settings=tuple((*span, one) for span, one in ranges),
    )
