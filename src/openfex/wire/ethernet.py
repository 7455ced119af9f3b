# SPDX-License-Identifier: Apache-2.0
"""The Ethernet frame: addresses, our tags in any number and order, an ethertype (or 802.3 length), the rest.

A frame and its octets stand for each other, one to one. What decodes encodes to the same octets, padding included;
and a frame that can be made decodes from its octets as itself. For the second to hold, `ethertype` may not be one that
starts a tag: a tag belongs in `tags`. A frame that ends inside a tag is therefore octets, never a Frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.etag import ETag
from openfex.wire.fields import require_octets, require_width
from openfex.wire.vlan import VlanTag
from openfex.wire.vntag import VnTag

Tag = VnTag | ETag | VlanTag

_ADDRESSES = 12
_TAG_KINDS: dict[int, type[VnTag] | type[ETag] | type[VlanTag]] = {
    VnTag.ETHERTYPE: VnTag,
    ETag.ETHERTYPE: ETag,
    VlanTag.C_TPID: VlanTag,
    VlanTag.S_TPID: VlanTag,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame without preamble and FCS; `tags` has the outermost first."""

    dst: Mac
    src: Mac
    ethertype: int
    payload: bytes
    tags: tuple[Tag, ...] = ()

    def __post_init__(self) -> None:
        require_width("frame", "ethertype", self.ethertype, 16)
        if self.ethertype in _TAG_KINDS:
            raise WireError(
                f"frame ethertype 0x{self.ethertype:04x} starts a tag: put the tag in tags", code="tag-as-ethertype"
            )

    @property
    def outer(self) -> Tag | None:
        """The outermost tag, if there is one."""
        return self.tags[0] if self.tags else None

    def push(self, tag: Tag) -> Frame:
        """Put `tag` around the frame."""
        return replace(self, tags=(tag, *self.tags))

    def pop(self) -> tuple[Tag, Frame]:
        """Give the outermost tag, and the frame without it. Raises WireError when there is none."""
        if not self.tags:
            raise WireError("the frame has no tag to pop", code="no-tag")
        return self.tags[0], replace(self, tags=self.tags[1:])

    def encode(self) -> bytes:
        """Give the octets, neither padded nor with an FCS."""
        tags = b"".join(tag.encode() for tag in self.tags)
        return self.dst.octets + self.src.octets + tags + self.ethertype.to_bytes(2, "big") + self.payload

    @classmethod
    def decode(cls, octets: bytes) -> Frame:
        """Read tags until an ethertype that starts none. Raises WireError "truncated-frame" when octets end first."""
        require_octets("inside the frame's addresses", octets, _ADDRESSES)
        tags: list[Tag] = []
        at = _ADDRESSES
        while True:
            require_octets("before the frame's ethertype", octets, at + 2)
            ethertype = int.from_bytes(octets[at : at + 2], "big")
            kind = _TAG_KINDS.get(ethertype)
            if kind is None:
                return cls(Mac(octets[:6]), Mac(octets[6:12]), ethertype, octets[at + 2 :], tuple(tags))
            tags.append(kind.decode(octets[at : at + kind.LENGTH]))
            at += kind.LENGTH
