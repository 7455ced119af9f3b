# SPDX-License-Identifier: Apache-2.0
"""Others' formats: what is written is read back the same, and no text makes a reader stumble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import InputError
from openfex.formats.catalogue import FORMATS, Format, recognise
from openfex.formats.document import write_document
from openfex.formats.nmstate_out import write_nmstate
from openfex.formats.ranges import flat
from openfex.formats.report import CODES, Export
from openfex.formats.systemd_out import write_systemd
from openfex.model.functions import AdapterWish, Selector, Settings, TagProtocol
from openfex.model.source import read_sources
from openfex.testing.wishes import addresses, device_names, settings, wishes

COUNT = 12
FORMAT = pytest.mark.parametrize("form", FORMATS.values(), ids=lambda one: one.name)


def of_systemd(one: Settings) -> Settings:
    """What of settings systemd has words for."""
    kept = replace(one, min_rate=None, max_rate=None, driver=None, purpose=None)
    return kept if kept.vlan else replace(kept, vlan=None, qos=None, protocol=None)


def of_nmstate(one: Settings) -> Settings:
    """What of settings nmstate has words for."""
    kept = replace(one, link=None, rss_query=None, driver=None, purpose=None)
    bare = kept.protocol is TagProtocol.DOT1AD and not kept.vlan and not kept.qos
    return replace(kept, protocol=None) if bare else kept


@st.composite
def sayable(draw: st.DrawFn, by_name: bool) -> AdapterWish:
    """A wish that systemd and nmstate have words for, up to the settings; in its normal form."""
    pf = Selector(name=draw(device_names())) if by_name else Selector(draw(addresses()))
    spans = st.lists(st.integers(0, COUNT - 1), min_size=2, max_size=2).map(sorted)
    ranges = draw(st.lists(st.tuples(spans, settings(tagged=draw(st.booleans()))), max_size=4))
    count = draw(st.integers(COUNT, COUNT + 3))
    return AdapterWish("x", (pf,), count, settings=flat((low, high, one) for (low, high), one in ranges))


def read_back(form: Format, export: Export) -> list[AdapterWish]:
    return [replace(wish, name="x") for file in export.files for wish in form.read(file.text, file.name).wishes]


@given(st.booleans().flatmap(sayable))
def test_what_systemd_can_say_is_read_back_the_same(wish: AdapterWish) -> None:
    wanted = replace(wish, settings=flat((low, high, of_systemd(one)) for low, high, one in wish.settings))
    export = write_systemd(wanted)
    assert read_back(FORMATS["systemd"], export) == [wanted]
    assert {note.code for note in export.notes} <= {"name-before-rename"}


@given(st.booleans().flatmap(sayable), st.none() | st.booleans())
def test_what_nmstate_can_say_is_read_back_the_same(wish: AdapterWish, autoprobe: bool | None) -> None:
    kept = flat((low, high, of_nmstate(one)) for low, high, one in wish.settings)
    wanted = replace(wish, autoprobe=autoprobe, settings=kept)
    export = write_nmstate(wanted)
    assert read_back(FORMATS["nmstate"], export) == [wanted]
    assert export.notes == ()


@pytest.mark.slow
@given(wishes())
def test_whatever_a_document_says_is_written_or_named(wish: AdapterWish) -> None:
    """And what is written asks for nothing that the document does not."""
    for form in (FORMATS["systemd"], FORMATS["nmstate"]):
        assert form.write
        try:
            export = form.write(wish)
        except InputError:
            assert not any(pf in (Selector(pf.address), Selector(name=pf.name)) for pf in wish.pfs)
            continue
        assert {note.code for note in export.notes} <= set(CODES)
        wanted = dict(_each(flat(wish.settings), COUNT))
        for back in _read_all(form, export):
            assert set(back.pfs) <= set(wish.pfs)
            for number, one in _each(back.settings, COUNT):
                assert all(value == getattr(wanted[number], name) for name, value in _said(one))


def _read_all(form: Format, export: Export) -> Iterator[AdapterWish]:
    for file in export.files:
        try:
            yield from form.read(file.text, file.name).wishes
        except InputError:
            assert "SR-IOV" not in file.text  # as many functions as there are, and nothing asked of them


def _each(ranges: tuple[tuple[int, int, Settings], ...], most: int) -> Iterator[tuple[int, Settings]]:
    for first, last, one in ranges:
        yield from ((number, one) for number in range(first, min(last, most) + 1))


def _said(one: Settings) -> list[tuple[str, object]]:
    return [(name, value) for name in Settings.__slots__ if (value := getattr(one, name)) is not None]


@pytest.mark.slow
@given(wishes())
def test_a_document_is_yaml_without_surprises(wish: AdapterWish) -> None:
    (source,) = read_sources(write_document(wish))
    assert source.problems == ()
    assert isinstance(source.value, dict)
    assert (source.value["kind"], source.value["name"]) == ("adapter", wish.name)
    purposes = {one["purpose"] for one in source.value["spec"].get("settings", {}).values() if "purpose" in one}
    assert purposes <= {one.purpose for _, _, one in wish.settings}


def tokens(*words: str) -> st.SearchStrategy[str]:
    """Text made of what the formats are made of, and of anything else."""
    return st.lists(st.sampled_from(words) | st.text(max_size=3), max_size=30).map("".join)


INI = tokens(
    *("[Match]\n", "[Link]\n", "[SR-IOV]\n", "[sriov]\n", "[connection]\n", "[match]\n", "\n", "=", ";", "#", "\\\n"),
    *("SR-IOVVirtualFunctions=", "VirtualFunction=", "VLANId=", "VLANProtocol=", "MACAddress=", "Trust=", "LinkState="),
    *("Name=", "Path=pci-", "Driver=", "Property=ID_VENDOR_ID=0x", "interface-name=", "total-vfs=", "vf.0=", "vfs="),
    *("mac=", "vlans=", "min-tx-rate=", "max-tx-rate=", "autoprobe-drivers=", " ", ",", "0", "7", "00:11:22:33:44:55"),
)
YAML = tokens(
    *("network:\n", "  ethernets:\n", "    pf:\n", "    v: {link: pf}\n", "  vlans:\n", "match", "renderer: sriov"),
    *(
        "interfaces:\n",
        "- name: a\n",
        "  ethernet: {sr-iov: {",
        "total-vfs: ",
        "vfs: [",
        "{id: 0}",
        "}}\n",
        "]",
        "---\n",
    ),
    *(
        "apiVersion: sriovnetwork.openshift.io/v1\n",
        "kind: SriovNetworkNodePolicy\n",
        "kind: SriovNetwork\n",
        "spec:\n",
    ),
    *("  nicSelector: {pfNames: [", "#0-3", "  numVfs: 4\n", "  resourceName: r\n", "metadata: {name: ", "items:\n"),
    *(": ", "{", "}", "[", ",", "\n", " ", "&a ", "*a", "0", "-1", "true", "null", "virtual-function-count", "link"),
)


@FORMAT
@given(text=st.text() | INI | YAML)
def test_no_text_makes_a_reader_stumble(form: Format, text: str) -> None:
    try:
        found = form.read(text, "some/file")
    except InputError:
        return
    for wish in found.wishes:
        (source,) = read_sources(write_document(wish))
        assert source.problems == ()
    assert {note.code for note in found.notes} <= set(CODES)
    assert all(note.told("f").isprintable() for note in found.notes)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["eno1", "eno1#0-3", "0000:01:00.0", "00:11:22:33:44:55", "on", "802.1ad", "4", "0x1f"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


def shapes(form: Format) -> st.SearchStrategy[object]:
    """Values of the form of the format's own, with anything at the places of its keys."""
    words = sorted({word for key in form.keys for word in key.theirs.replace(":", " ").replace(".", " ").split()})
    leaves = st.dictionaries(st.sampled_from(words), VALUES, max_size=5)
    inner = st.dictionaries(st.sampled_from(words), VALUES | leaves | st.lists(leaves, max_size=3), max_size=4)
    return {
        "netplan": st.fixed_dictionaries(
            {"network": st.dictionaries(st.sampled_from(["ethernets", "vlans"]), st.dictionaries(st.text("ab"), inner))}
        ),
        "nmstate": st.fixed_dictionaries(
            {
                "interfaces": st.lists(
                    st.fixed_dictionaries(
                        {}, optional={"name": VALUES, "ethernet": st.fixed_dictionaries({"sr-iov": inner})}
                    )
                    | inner,
                    max_size=3,
                )
            }
        ),
    }.get(
        form.name,
        st.fixed_dictionaries(
            {
                "apiVersion": st.just("sriovnetwork.openshift.io/v1"),
                "kind": st.sampled_from(["SriovNetworkNodePolicy", "SriovNetwork"]),
                "metadata": st.fixed_dictionaries({"name": VALUES}),
                "spec": st.dictionaries(st.sampled_from([*words, "nicSelector"]), VALUES | leaves, max_size=8),
            }
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["netplan", "nmstate", "sriov-network-operator"])
@given(data=st.data())
def test_no_value_makes_a_reader_stumble(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    text = json.dumps(data.draw(shapes(form)))
    try:
        found = form.read(text, "f")
    except InputError:
        return
    for wish in found.wishes:
        (source,) = read_sources(write_document(wish))
        assert source.problems == ()


@given(st.text() | INI | YAML)
def test_no_text_makes_recognition_stumble(text: str) -> None:
    with suppress(InputError):
        assert recognise(text).name in FORMATS
