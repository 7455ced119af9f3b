# SPDX-License-Identifier: Apache-2.0
"""The catalogue of rows, what a result says, and the labs that are measured."""

from __future__ import annotations

import json

import pytest

from openfex.errors import InputError
from openfex.model.reader import read_documents
from openfex.model.values import LAST_CHANNEL
from openfex.plan.layout import lay_out
from openfex.proof.bench import contests, frames, labs
from openfex.proof.bench.ratios import Comparison
from openfex.proof.bench.rows import ROWS, Result, choose
from openfex.proof.peers import BUILDERS

FIELDS = ("name", "peer", "ours", "theirs", "unit", "ratio", "low", "high", "rounds")


def result(name: str, peer: str, low: float, high: float) -> Result:
    return Result(ROWS[name], peer, Comparison(1.0, 3.0, (low + high) / 2, low, high, 12))


def test_all_rows_if_none_is_named_else_those_in_the_catalogue_s_order() -> None:
    assert choose([]) == list(ROWS.values())
    assert [row.name for row in choose(["udp_64_pps", "tcp_stream", "tcp_stream"])] == ["tcp_stream", "udp_64_pps"]


@pytest.mark.parametrize(
    ("name", "nearest"), [("tcp-stream", "tcp_stream"), ("udp64pps", "udp_64_pps"), ("roundtrip", "round_trip")]
)
def test_an_unknown_row_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(["tcp_stream", name])
    assert caught.value.code == "unknown-row"
    assert f"the nearest is {nearest}; " in caught.value.remedy


def test_what_is_near_nothing_is_told_all_rows() -> None:
    with pytest.raises(InputError) as caught:
        choose(["qqq"])
    assert caught.value.remedy == f"the rows are: {', '.join(ROWS)}"


def test_every_row_has_its_contest_and_every_peer_its_builder() -> None:
    assert contests.CONTESTS.keys() == ROWS.keys()
    assert BUILDERS.keys() == {*ROWS["tcp_stream"].peers}
    assert frames.WIRES.keys() == {*ROWS["udp_64_pps"].peers, *ROWS["udp_64_pps_policy"].peers}
    assert {*frames.BARE_RULES, frames.NO_ACL} == {*ROWS["acl_1000"].peers}


def test_a_result_as_json_has_these_fields_and_no_other() -> None:
    described = json.loads(json.dumps(result("tcp_stream", "direct-veth", 0.9, 1.1).describe(), allow_nan=False))
    assert tuple(described) == FIELDS
    assert described["name"] == "tcp_stream"
    assert described["ratio"] == 1.0


@pytest.mark.parametrize(
    ("name", "peer", "low", "high", "met"),
    [
        ("udp_64_pps", "linux-bridge", 1.9, 2.0, True),
        ("udp_64_pps", "linux-bridge", 1.8, 1.9, False),
        ("round_trip", "linux-bridge", 1.1, 1.3, True),
        ("round_trip", "linux-bridge", 1.2, 1.3, False),
        ("tcp_stream", "macvlan-vepa", 0.1, 0.2, None),
    ],
)
def test_a_budget_is_met_where_the_interval_reaches_it(
    name: str, peer: str, low: float, high: float, met: bool | None
) -> None:
    assert result(name, peer, low, high).is_within_budget is met


def test_the_labs_are_as_large_as_the_rows_names_say() -> None:
    pair, full, scale = (
        lay_out(read_documents(text))
        for text in (
            labs.pair("bench"),
            labs.full_adapter("bench", contests.FUNCTIONS),
            labs.scale("bench", (frames.VETHS, frames.HOSTS)),
        )
    )
    assert len(pair.bindings) == 2
    assert all(binding.addresses for binding in pair.bindings)
    assert len(full.bindings) == len(full.hosts[0].functions) == 256
    many = [binding for binding in scale.bindings if binding.uplink.bridge == labs.MANY]
    assert len(many) == LAST_CHANNEL == 4094
    assert len(scale.uplinks_of(labs.MANY)) == 16
    assert max(len(host.functions) for host in scale.hosts) == 256
    assert len(scale.bindings) - len(many) == 2


def test_the_lab_of_an_acl_has_one_beside_it_without() -> None:
    found = lay_out(read_documents(labs.beside_plain("bench", labs.XDP, "{vlan: {access: 20}}")))
    profiles = {binding.uplink.bridge: binding.profile.name for binding in found.bindings}
    assert profiles == {labs.FEW: "bench", labs.MANY: "plain"}


def test_labs_of_ours_say_so_in_their_first_line() -> None:
    assert labs.pair("bench").startswith(labs.MARK)
    assert labs.MARK.startswith("#")
