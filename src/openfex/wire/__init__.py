# SPDX-License-Identifier: Apache-2.0
"""Octets <-> values. No state."""

from openfex.wire.etag import ETag
from openfex.wire.ethernet import Frame, Tag
from openfex.wire.ip import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    arp_reply,
    arp_request,
    checksum,
    ip_packet,
    ipv4_icmp,
    ipv4_tcp,
    ipv4_udp,
    ipv6_icmp,
    ipv6_tcp,
    ipv6_udp,
)
from openfex.wire.vlan import VlanTag
from openfex.wire.vntag import VnTag

__all__ = [
    "ETHERTYPE_ARP",
    "ETHERTYPE_IPV4",
    "ETHERTYPE_IPV6",
    "ETag",
    "Frame",
    "Tag",
    "VlanTag",
    "VnTag",
    "arp_reply",
    "arp_request",
    "checksum",
    "ip_packet",
    "ipv4_icmp",
    "ipv4_tcp",
    "ipv4_udp",
    "ipv6_icmp",
    "ipv6_tcp",
    "ipv6_udp",
]
