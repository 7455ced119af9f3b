# SPDX-License-Identifier: Apache-2.0
"""bpf/include/abi.h and its twins in Python: the same names and numbers, and the same octets at the same places.

Names are read out of the header; numbers, sizes and offsets are put to clang as assertions.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from openfex.datapath import abi, terms
from openfex.model import limits, values
from openfex.model.drops import DropReason
from openfex.rules import trees
from openfex.rules.classes import compile_acl
from openfex.rules.decision import Verdict

BPF = Path(__file__).resolve().parents[3] / "bpf"
HEADER = re.sub(r"/\*.*?\*/", "", (BPF / "include" / "abi.h").read_text(), flags=re.DOTALL)
LIBRARY = "\n".join(path.read_text() for path in sorted((BPF / "lib").glob("*.h")))

CONSTANTS = {
    "FEX_CHANNEL_BITS": values.CHANNEL_BITS,
    "FEX_CHANNEL_MASK": (1 << values.CHANNEL_BITS) - 1,
    "FEX_LAST_CHANNEL": values.LAST_CHANNEL,
    "FEX_DEFAULT_CHANNEL": values.DEFAULT_CHANNEL,
    "FEX_LIST_MASK": 0x3FFF,
    "FEX_FIRST_UPLINK": limits.FIRST_UPLINK,
    "FEX_MAX_UPLINKS": limits.MAX_UPLINKS,
    "FEX_MAX_LINKS": limits.MAX_LINKS,
    "FEX_ANY_PORT": abi.ANY_PORT,
    "FEX_LAST_IFINDEX": abi.LAST_IFINDEX,
    "FEX_LEARNT": abi.LEARNT,
    "FEX_MARK": abi.MARK,
    "FEX_QUEUE": abi.QUEUE,
    "FEX_HOME": abi.HOME,
    "FEX_HOME_FACTOR": abi.HOME_FACTOR,
    "FEX_DIMENSIONS": len(compile_acl(()).roots),
    "FEX_LEAF": trees.LEAF,
    "FEX_RUN": trees.RUN,
    "FEX_REFERENCE_MASK": trees.RUN - 1,
}

ENUMS: dict[str, tuple[type[IntEnum] | type[IntFlag], str, dict[str, int]]] = {
    "fex_kind": (abi.Kind, "FEX_KIND_", {}),
    "fex_port_flag": (abi.PortFlag, "FEX_PORT_", {}),
    "fex_policy_flag": (abi.PolicyFlag, "FEX_POLICY_", {}),
    "fex_cast": (abi.Cast, "FEX_CAST_", {}),
    "fex_total": (abi.Total, "FEX_TOTAL_", {"FEX_TOTAL_ROWS": abi.TOTAL_ROWS}),
    "fex_drop": (DropReason, "FEX_DROP_", {"FEX_DROP_REASONS": len(DropReason)}),
    "fex_verdict": (Verdict, "FEX_VERDICT_", {}),
    "fex_seen": (abi.Seen, "FEX_SEEN_", {}),
    "fex_leaves": (abi.Leaves, "FEX_LEAVES_", {}),
}
"""The Python twin, what the C names begin with, and C names that only count."""

PRICES = " ".join(
    f"{unit}[{way}].{word}" for unit in ("octets", "frames") for way in (0, 1) for word in ("cost", "burst_ns")
)

STRUCTS: dict[str, tuple[struct.Struct, str]] = {
    "fex_link": (abi.LINK, "ifindex kind flags"),
    "fex_function": (abi.FUNCTION, "ifindex flags vlan"),
    "fex_owner_key": (abi.OWNER_KEY, "mac link"),
    "fex_list": (abi.LIST, "tagged untagged"),
    "fex_mac": (abi.MAC, "octets zero"),
    "fex_port": (abi.PORT, "mac mac.zero flags pin profile zero"),
    "fex_price": (abi.PRICE, "cost burst_ns"),
    "fex_policy": (
        abi.POLICY,
        f"flags vlan_set vlan learn acl[0] acl[1] pcp mark service {PRICES} digest",
    ),
    "fex_profile": (abi.PROFILE, "current zero version[0] version[1]"),
    "fex_acl": (
        abi.ACL,
        " ".join(
            (
                *("rules", "hits", "permits", "wide", *(f"root[{one}]" for one in range(10))),
                *(f"absent[{one}]" for one in range(10)),
                *("node", "nodes", "vector", "vectors", "run", "runs"),
            )
        ),
    ),
    "fex_node": (abi.NODE, "next"),
    "fex_run": (abi.RUN, "octets mask length equal other zero"),
    "fex_vector": (abi.VECTOR, "word"),
    "fex_address": (abi.ADDRESS, "port zero octets"),
    "fex_memory": (abi.MEMORY, "octets_due[0] octets_due[1] frames_due[0] frames_due[1] macs"),
    "fex_judged_key": (abi.JUDGED_KEY, "scope series number"),
    "fex_vlan_set": (abi.VLAN_SET, "bits"),
    "fex_station_key": (abi.STATION_KEY, "mac vlan"),
    "fex_station": (abi.STATION, "seen_ns port epoch"),
    "fex_flood": (abi.FLOOD, "any many list peers judged series"),
    "fex_settings": (abi.SETTINGS, "ageing_ns epoch zero"),
    "fex_counters": (
        abi.COUNTERS,
        "in_frames[0] in_frames[1] in_frames[2] in_octets out_frames[0] out_frames[1] out_frames[2] out_octets",
    ),
    "fex_drop_key": (abi.DROP_KEY, "port reason"),
    "fex_flow": (abi.FLOW, "head nic"),
    "fex_decision": (
        abi.DECISION,
        (
            "verdict reason in out list source uplinks vlan tci tagged not_learnt peers "
            "at judged series hit[0] hit[1] learns policy[0] policy[1] mark service unwrapped version zero"
        ),
    ),
    "fex_trace": (abi.TRACE, "decided settled now_ns"),
    "fex_capture": (abi.CAPTURE, "id port kinds snap lost asked_ns"),
    "fex_record": (
        abi.RECORD,
        (
            "time_ns in out octets taken vlan_tpid vlan_tci tci "
            "verdict reason seen leaves late mark service unwrapped zero"
        ),
    ),
}
"""The Python format, and the C fields in the order of its items."""

ROOM = {"stations": limits.MAX_STATIONS, "vlan_sets": limits.MAX_VLAN_SETS, "links": limits.MAX_LINKS}
ROOM |= terms.ROOM | {"profiles": limits.MAX_PROFILES}
ROOM |= {"veths": limits.MAX_UPLINKS * values.LAST_CHANNEL, "floods": limits.MAX_LISTS, "lists": limits.MAX_LISTS}
"""What the maps must have room for at least."""


def check(folder: Path, claims: Iterable[str]) -> None:
    """Let clang look at claims about the header, as it looks at the programs."""
    source = folder / "claims.c"
    lines = [f'_Static_assert({claim}, "");' for claim in claims]
    source.write_text("\n".join(['#include "abi.h"', *lines, ""]))
    command = ["clang", "-target", "bpf", "-fsyntax-only", f"-I{BPF / 'include'}", str(source)]
    for machine in Path("/usr/include").glob("*-linux-gnu"):  # asm/types.h, outside clang's path for this target
        command += ["-idirafter", str(machine)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_constants_are_equal(tmp_path: Path) -> None:
    assert set(re.findall(r"#define (FEX_\w+) ", HEADER)) == set(CONSTANTS)
    check(tmp_path, (f"{name} == {value}" for name, value in CONSTANTS.items()))


def test_no_enumeration_or_struct_is_forgotten() -> None:
    assert set(re.findall(r"^enum (\w+) \{", HEADER, re.MULTILINE)) == set(ENUMS)
    assert set(re.findall(r"^struct (\w+) \{", HEADER, re.MULTILINE)) == set(STRUCTS)


@pytest.mark.parametrize("name", ENUMS)
def test_enumerations_are_equal(name: str, tmp_path: Path) -> None:
    twin, prefix, counts = ENUMS[name]
    body = re.search(rf"enum {name} \{{(.*?)\}}", HEADER, re.DOTALL)
    assert body
    wanted = {f"{prefix}{one.name}": int(one) for one in twin} | counts
    assert set(re.findall(r"FEX_\w+(?= =)", body[1])) == set(wanted)
    check(tmp_path, (f"{item} == {value}" for item, value in wanted.items()))


def offsets(layout: struct.Struct, fields: list[str]) -> dict[str, int]:
    """Where each field is. Items may make up arrays, all equally long: then a field is the first of some."""
    assert layout.format.startswith("=")
    at, items = 0, []
    for count, code in re.findall(r"(\d*)([a-zA-Z])", layout.format):
        repeated = 1 if code in "sx" else int(count or 1)
        size = struct.calcsize(f"={count}{code}")
        items += [at + index * size // repeated for index in range(repeated)]
        at += size
    step, rest = divmod(len(items), len(fields))
    assert rest == 0
    return dict(zip(fields, items[::step], strict=True))


@pytest.mark.parametrize("name", STRUCTS)
def test_clang_lays_a_struct_out_as_python_does(name: str, tmp_path: Path) -> None:
    layout, fields = STRUCTS[name]
    places = offsets(layout, fields.split()).items()
    claims = [f"__builtin_offsetof(struct {name}, {field}) == {at}" for field, at in places]
    check(tmp_path, [f"sizeof(struct {name}) == {layout.size}", *claims])


def test_the_maps_have_room_for_what_the_limits_promise(tmp_path: Path) -> None:
    maps = re.findall(r"struct \{((?:(?!struct \{).)*?)\} (\w+) SEC\(\"\.maps\"\)", LIBRARY, re.DOTALL)
    sizes = {name: re.search(r"max_entries, (.+)\);", body) for body, name in maps}
    claims = []
    for name, least in ROOM.items():
        size = sizes[name]
        assert size, name
        claims.append(f"({size[1]}) >= {least}")
    check(tmp_path, claims)
    assert limits.MAX_NETWORK_PORTS == limits.FIRST_UPLINK - 1
