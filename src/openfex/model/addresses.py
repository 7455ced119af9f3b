# SPDX-License-Identifier: Apache-2.0
"""Addresses as people write them: those that one station can have, and the blocks of them that rules name."""

from __future__ import annotations

import ipaddress
import re

from openfex.errors import InputError
from openfex.model.names import parse_text
from openfex.model.policy import MacBlock, Network
from openfex.model.values import Mac
from openfex.model.wording import shown

LEAST_IPV6_MTU = 1280
"""What every link that carries IPv6 must take (RFC 8200, clause 5). Linux takes IPv6 off a device with less."""
MAC_BITS = 48
_LENGTH = re.compile(r"[0-9]{1,3}")
_OCTETS = re.compile(r"[0-9a-fA-F]{12}")
_SMALLEST_WITH_OWN_ADDRESS = 30
"""The longest IPv4 prefix with an address of the network itself and one for broadcasts (RFC 3021)."""

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def parse_mac(value: object) -> Mac:
    """The MAC address of a station. Raises InputError."""
    text = parse_text(value, "bad-mac")
    bare = re.sub("[:.-]", "", text)
    remedy = f"write {Mac(bytes.fromhex(bare))}" if _OCTETS.fullmatch(bare) else ""
    try:
        mac = Mac.parse(text)
    except InputError as cause:
        raise InputError(f"{shown(text)} is not a MAC address", code="bad-mac", remedy=remedy) from cause
    if mac.is_multicast or not any(mac.octets):
        what = "a group address" if mac.is_multicast else "no address"
        raise InputError(f"{mac} is {what}, not that of one station", code="bad-mac")
    return mac


def parse_address(value: object) -> str:
    """An IP address with its prefix length, as its shortest text. Raises InputError."""
    text = parse_text(value, "bad-address")
    try:
        address = ipaddress.ip_interface(text)
    except ValueError as cause:
        message = f"{shown(text)} is not an IP address with a prefix length"
        raise InputError(message, code="bad-address") from cause
    if wrong := _why_no_station(address):
        raise InputError(f"{text} {wrong}, not that of one station", code="bad-address")
    return str(address)


def parse_network(value: object) -> Network:
    """A network of IP, or one address. Raises InputError."""
    text = parse_text(value, "bad-network")
    if text in ("any", "all"):
        raise InputError(f"{text} is what a rule says without the key", code="bad-network", remedy="take the key out")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as cause:
        raise InputError(f"{shown(text)} is not a network of IPv4 or IPv6", code="bad-network") from cause
    address = text.partition("/")[0]
    if "%" in text:
        remedy = "take out what is behind the %"
        raise InputError(f"{shown(text)} names a zone", code="bad-network", remedy=remedy)
    if ipaddress.ip_address(address) != network.network_address:
        remedy = f"write {network}, or {address} for the one address"
        raise InputError(f"{text} has bits behind the prefix", code="bad-network", remedy=remedy)
    return network


def parse_mac_block(value: object) -> MacBlock:
    """A MAC address, also a group's, or those that begin with the same bits. Raises InputError."""
    text = parse_text(value, "bad-mac")
    address, slash, length = text.partition("/")
    if slash and not (_LENGTH.fullmatch(length) and int(length) <= MAC_BITS):
        raise InputError(f"{shown(text)} has no length from 0 to {MAC_BITS} behind its /", code="bad-mac")
    try:
        block = MacBlock(Mac.parse(address), int(length) if slash else MAC_BITS)
    except InputError as cause:
        raise InputError(f"{shown(text)} is not a MAC address, with or without a length", code="bad-mac") from cause
    spare = MAC_BITS - block.length
    bare = Mac((int.from_bytes(block.mac.octets, "big") >> spare << spare).to_bytes(6, "big"))
    if bare != block.mac:
        raise InputError(f"{text} has bits behind the prefix", code="bad-mac", remedy=f"write {bare}/{block.length}")
    return block


def _why_no_station(address: Interface) -> str:
    network = address.network
    large = address.version == 4 and network.prefixlen <= _SMALLEST_WITH_OWN_ADDRESS
    reasons = (
        (address.is_unspecified, "is no address"),
        (address.is_multicast, "is a group address"),
        (address.is_loopback, "is a loopback address"),
        (isinstance(address, ipaddress.IPv6Interface) and address.scope_id, "names a zone"),
        (large and address.ip == network.network_address, f"is the address of the network {network}"),
        (large and address.ip == network.broadcast_address, f"is the broadcast address of {network}"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def is_ipv6(address: str) -> bool:
    """True for an address of IP version 6, as `parse_address` gives it."""
    return ":" in address


def without_prefix(address: str) -> str:
    """The address alone."""
    return address.partition("/")[0]
