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
from openfex.formats import nmstate_keys, operator_keys
from openfex.formats.catalogue import FORMATS, Format, recognise
from openfex.formats.document import write_document
from openfex.formats.nmstate_out import write_nmstate
from openfex.formats.ranges import flat
from openfex.formats.report import CODES, Export, Key
from openfex.formats.systemd_out import write_systemd
from openfex.formats.values import LAST_FUNCTION
from openfex.model.functions import AdapterWish, Selector, Settings, TagProtocol
from openfex.model.reader import read_documents
from openfex.model.real import SriovSpec
from openfex.plan.wishes import wishes_of
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
def test_a_document_says_what_was_wished(wish: AdapterWish) -> None:
    (document,) = read_documents(write_document(wish))
    assert isinstance(document.spec, SriovSpec)
    (back,) = wishes_of(document.name, document.spec)
    assert replace(back, settings=()) == replace(wish, settings=())
    assert possible(back) == possible(wish)


def possible(wish: AdapterWish) -> list[tuple[int, int, Settings]]:
    """What is asked of functions that an adapter can have."""
    return [(first, min(last, LAST_FUNCTION), one) for first, last, one in flat(wish.settings)]


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


def read_the_document(wish: AdapterWish) -> None:
    """What comes in is a document as it has to be, or lacks nothing but its PFs."""
    read = read_documents(write_document(wish))
    assert {one.path for one in read.problems} <= (set() if wish.pfs else {"spec.pfs"})


@FORMAT
@given(text=st.text() | INI | YAML)
def test_no_text_makes_a_reader_stumble(form: Format, text: str) -> None:
    try:
        found = form.read(text, "some/file")
    except InputError:
        return
    for wish in found.wishes:
        read_the_document(wish)
    assert {note.code for note in found.notes} <= set(CODES)
    assert all(note.told("f").isprintable() for note in found.notes)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70_000)
    | st.text(max_size=4)
    | st.sampled_from(
        ["eno1", "eno1#0-3", "0000:01:00.0", "00:11:22:33:44:55", "on", "802.1ad", "4", "sriov", "a", "v"]
    )
)
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.sampled_from("ab"), LEAVES, max_size=1)


def entries(*words: str) -> st.SearchStrategy[object]:
    """A mapping of some of the keys to anything; and sometimes something else."""
    return st.dictionaries(st.sampled_from(words), VALUES, max_size=6) | LEAVES


def part(inner: st.SearchStrategy[object], *words: str) -> st.SearchStrategy[object]:
    """The same, with a key behind which there is a part of its own, the first of the words."""
    return st.tuples(entries(*words), inner).map(
        lambda one: {**one[0], words[0]: one[1]} if isinstance(one[0], dict) else one[0]
    )


def of(keys: tuple[Key, ...]) -> list[str]:
    return [key.theirs for key in keys]


DEVICES = st.dictionaries(
    st.sampled_from(["a", "b", "av0"]),
    part(entries("name", "driver", "macaddress"), "match", "virtual-function-count", "link", "set-name", "macaddress"),
    max_size=3,
)
FILTERS = st.dictionaries(st.sampled_from(["v", "w"]), entries("renderer", "id", "link"), max_size=2)
FUNCTIONS = st.lists(entries(*of(nmstate_keys.VF)), max_size=3) | VALUES
SRIOV = part(FUNCTIONS, "vfs", "total-vfs", "drivers-autoprobe")
INTERFACES = st.lists(part(part(SRIOV, "sr-iov"), "ethernet", *of(nmstate_keys.INTERFACE)), max_size=2)
SELECTOR = entries(*of(operator_keys.SELECTOR))
SHAPES = {
    "netplan": st.fixed_dictionaries({"network": st.fixed_dictionaries({"ethernets": DEVICES, "vlans": FILTERS})}),
    "nmstate": st.fixed_dictionaries({"interfaces": INTERFACES | VALUES}),
    "sriov-network-operator": st.fixed_dictionaries(
        {
            "apiVersion": st.just("sriovnetwork.openshift.io/v1"),
            "kind": st.sampled_from(["SriovNetworkNodePolicy", "SriovNetwork"]),
            "metadata": entries("name"),
            "spec": part(SELECTOR, "nicSelector", *of(operator_keys.POLICY), *of(operator_keys.NETWORK)),
        }
    ),
}
"""Values of the forms of the formats, with anything at the places of their keys."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
@given(data=st.data())
def test_no_value_makes_a_reader_stumble(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    text = json.dumps(data.draw(SHAPES[name]))
    try:
        found = form.read(text, "f")
    except InputError:
        return
    for wish in found.wishes:
        read_the_document(wish)


@given(st.text() | INI | YAML)
def test_no_text_makes_recognition_stumble(text: str) -> None:
    with suppress(InputError):
        assert recognise(text).name in FORMATS
