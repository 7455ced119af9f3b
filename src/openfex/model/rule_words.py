# SPDX-License-Identifier: Apache-2.0
"""Rules of an ACL as people write them: `permit: {protocol: tcp, port: 443}`. Read again, they say the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from openfex.model.policy import MacBlock, Network, Rule, Span
from openfex.model.protocols import ETHERTYPES, FLAGS, FRAGMENTS, ICMP_TYPES, PROTOCOLS, STATES

_FLAG_STATES = {pairs: word for word, pairs in STATES.items()}


def rule_words(rule: Rule) -> str:
    """The rule in one line of YAML, without its name."""
    said = ", ".join(f"{key}: {text}" for key, text in _parts(rule))
    return f"{'permit' if rule.permit else 'deny'}: {{{said}}}"


def _parts(rule: Rule) -> Iterator[tuple[str, str]]:
    """Keys and values, the layers of a frame from outside to inside; keys as MatchSpec has them."""
    types = ICMP_TYPES.get(rule.protocols[0], {}) if rule.protocols else {}
    known: list[tuple[str, list[str]]] = [
        ("source_mac", list(map(_mac, rule.source_macs))),
        ("destination_mac", list(map(_mac, rule.destination_macs))),
        ("vlan", _spans(rule.vlans)),
        ("ethertype", [_ethertype(number) for number in rule.ethertypes]),
        ("protocol", [_word(number, PROTOCOLS) for number in rule.protocols]),
        ("icmp_type", [_word(number, types) for number in rule.types]),
        ("source", list(map(_network, rule.sources))),
        ("source_port", _spans(rule.source_ports)),
        ("destination", list(map(_network, rule.destinations))),
        ("port", _spans(rule.destination_ports)),
        ("tcp", list(_flags(rule.flags))),
        ("fragment", [word for word, one in FRAGMENTS.items() if one in rule.fragments]),
    ]
    for key, texts in known:
        if texts:
            yield key.replace("_", "-"), _list(texts)


def _list(texts: Iterable[str]) -> str:
    words = [_quoted(text) for text in texts]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _quoted(text: str) -> str:
    """Lists of numbers and most of IPv6 need quotes inside braces; all else does not."""
    return f'"{text}"' if "," in text or "::" in text else text


def _word(number: int, words: Mapping[str, int]) -> str:
    return next((word for word, one in words.items() if one == number), str(number))


def _ethertype(number: int) -> str:
    return next((word for word, one in ETHERTYPES.items() if one == number), f"{number:#06x}")


def _mac(block: MacBlock) -> str:
    return str(block.mac) if block.length == 48 else f"{block.mac}/{block.length}"


def _network(network: Network) -> str:
    return str(network) if network.prefixlen < network.max_prefixlen else str(network.network_address)


def _spans(spans: Iterable[Span]) -> list[str]:
    text = ",".join(str(one.first) if one.first == one.last else f"{one.first}-{one.last}" for one in spans)
    return [text] if text else []


def _flags(pairs: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """A state where its pairs stand together, else each pair by its flags."""
    at = 0
    while at < len(pairs):
        length = next((len(one) for one in _FLAG_STATES if pairs[at : at + len(one)] == one), 0)
        if length:
            yield _FLAG_STATES[pairs[at : at + length]]
        else:
            mask, value = pairs[at]
            yield "".join(f"{'+' if value & bit else '-'}{name}" for name, bit in FLAGS.items() if mask & bit)
        at += length or 1
