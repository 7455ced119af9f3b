# SPDX-License-Identifier: Apache-2.0
"""Every VN-Tag and E-Tag sample, field by field, as independent decoders read it."""

from __future__ import annotations

import pytest

from openfex.wire import ETHERTYPE_ARP, ETag, Frame, Tag, VlanTag, VnTag
from tests.unit.wire.samples import read_samples

SAMPLES = read_samples()
TAGS: dict[str, tuple[Tag, ...]] = {
    "V1": (VnTag(svif=10),),
    "V2": (VnTag(direction=1, dvif=10),),
    "V3": (VnTag(direction=1, pointer=1, dvif=0x123, looped=1, svif=10),),
    "V4": (VnTag(svif=11), VlanTag(100, pcp=5)),
    "V5": (VnTag(direction=1, pointer=0, dvif=0x2ABC, looped=0, svif=0xDEF, reserved=1, version=2),),
    "V6": (VnTag(direction=1, dvif=11, looped=1, svif=10),),
    "E1": (ETag(100, pcp=5),),
    "E2": (ETag(100),),
    "E3": (ETag(0x10, grp=1, ingress=100),),
    "E4": (ETag(0x5A123, grp=2, ingress=0x5A064, pcp=7, dei=1),),
    "E5": (ETag(211, dei=1), VlanTag(200, pcp=3)),
}
REQUEST = {"V1", "V3", "V4", "E1", "E3", "E4"}


def test_every_sample_has_an_expectation() -> None:
    assert set(SAMPLES) == set(TAGS)


@pytest.mark.parametrize("name", TAGS)
def test_a_sample_decodes_to_what_it_holds(name: str) -> None:
    frame = Frame.decode(SAMPLES[name])

    assert frame.tags == TAGS[name]
    assert frame.ethertype == ETHERTYPE_ARP
    assert str(frame.dst) == ("ff:ff:ff:ff:ff:ff" if name in REQUEST else "52:54:00:00:0a:01")
    assert str(frame.src) == ("52:54:00:00:0a:01" if name in REQUEST else "52:54:00:00:0b:02")
    assert frame.payload[6:8] == (b"\0\1" if name in REQUEST else b"\0\2")


@pytest.mark.parametrize("name", TAGS)
def test_a_sample_encodes_to_itself_padding_included(name: str) -> None:
    octets = SAMPLES[name]

    assert len(octets) == 60
    assert Frame.decode(octets).encode() == octets
