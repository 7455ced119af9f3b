# SPDX-License-Identifier: Apache-2.0
"""The columns of each table of `fex show`, narrow ones where a line has no room; JSON has all that a row holds."""

from __future__ import annotations

from openfex.cli.paper import Column, Row


def keyed(*keys: str) -> tuple[Column, ...]:
    """Columns that show a key of the row as it is."""
    return tuple((key.replace("_", " "), key) for key in keys)


def _vlans(row: Row) -> object:
    """VLANs as a table has them: `10`, or on a trunk what is allowed and what is native; the service tag around it."""
    if row["trunk"] is None and row["vlan"] is None:
        return None
    plain = str(row["vlan"]) if row["trunk"] is None else row["trunk"]
    native = f", native {row['vlan']}" if row["vlan"] and row["trunk"] is not None else ""
    return f"{plain}{native}" + (f", in service {row['service']}" if row["service"] else "")


def _real_vlan(row: Row) -> object:
    """A port VLAN with its QoS and protocol, where these say something."""
    if not row["vlan"]:
        return None
    qos = f" qos {row['qos']}" if row["qos"] else ""
    return f"{row['vlan']}{qos}" + (f" {row['protocol']}" if row["protocol"] == "802.1ad" else "")


def _real_rate(row: Row) -> object:
    """Rates in Mbit/s: what there is at least, and at most."""
    least, most = row["min_rate"], row["max_rate"]
    return f"{least or 0}..{most or ''} Mbit" if least or most else None


CATALOGUE = keyed("model", "limit", "storage", "what")
ADAPTERS = keyed("name", "host", "model", "backing", "limit", "nic", "storage", "bound")
FUNCTIONS = keyed("name", "host", "purpose", "channel", "state", "nic", "mac", "where", "note")
PROFILES: tuple[Column, ...] = (*keyed("name", "mode"), ("vlan", _vlans), *keyed("ports"))
HOSTS = keyed("name", "channel", "uplinks", "datapath", "adapters", "functions", "bound", "machines")
MACHINES = keyed("name", "host", "type", "namespace", "state", "nics")
BINDINGS = keyed("name", "function", "port", "fabric", "state", "profile", "vlan", "mac", "addresses", "generation")
REAL_ADAPTERS: tuple[Column, ...] = (
    *keyed("address", "name", "what", "driver"),
    ("device", lambda row: f"{row['vendor']}:{row['device']}" if row["vendor"] else None),
    *keyed("limit", "functions", "numa", "link", "speed", "hwmode", "managed", "health", "note"),
)
REAL_FUNCTIONS: tuple[Column, ...] = (
    *keyed("address", "pf", "index", "driver", "owner", "where", "mac"),
    ("vlan", _real_vlan),
    ("rate", _real_rate),
    *keyed("spoof_check", "trust"),
    ("link", "link_state"),
    *keyed("purpose", "health", "note"),
)
REAL_FUNCTIONS_NARROW: tuple[Column, ...] = (
    ("function", lambda row: _lines(row["address"], f"{row['pf']} {row['index']}", row["purpose"])),
    ("owner", lambda row: _lines(row["owner"], row["driver"], row["where"])),
    ("mac, vlan, rate", lambda row: _lines(row["mac"], _real_vlan(row), _real_rate(row))),
    *keyed("health", "note"),
)
STORAGE = keyed(
    *("address", "number", "driver", "state", "queues", "interrupts", "namespaces", "disks", "note"),
)
STEPS = keyed("step", "what", "disturbs")
NODES = keyed(
    *("name", "kind", "in_frames", "replicated", "out_frames", "drops", "control"),
    *("stations", "learnt", "moved", "aged", "not_learnt"),
)
NEIGHBOURS = keyed(
    *("node", "device", "name", "chassis", "port", "mac", "expires_s", "evb", "relay", "control", "channels"),
)
PROGRAMS: tuple[Column, ...] = (
    *keyed("program", "role", "attachment", "instructions", "steps", "most_steps", "stack", "most_stack"),
    ("note", "over"),
)
DROPS = keyed("node", "port", "reason", "frames", "meaning")
WATCHED = keyed("node", "port", "reason", "frames", "new", "meaning")


def _in(row: Row) -> str:
    return f"{row['in_frames']}/{row['in_octets']}"


def _out(row: Row) -> str:
    return f"{row['out_frames']}/{row['out_octets']}"


def _lines(*parts: object) -> list[object]:
    return [part for part in parts if part]


def _policy(row: Row) -> list[str]:
    """What the port's profile asks beside its VLANs, in short."""
    from openfex.lab.view.policy import policy_parts

    found = row["policy"]
    return policy_parts(found if isinstance(found, dict) else None)


def _texts(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else []


def _state_lines(row: Row) -> list[object]:
    vlans = _vlans(row)
    return _lines(*str(row["state"]).split(", "), row["profile"], vlans and f"VLAN {vlans}", *_policy(row))


def _device(row: Row) -> list[object]:
    if not row["device"]:
        return []
    there = _lines(f"ifindex {row['ifindex']}, {row['link']}", f"MTU {row['mtu']}", row["mac"])
    return _lines(f"{row['node']}:{row['device']}", *(there if row["ifindex"] else [row["link"]]))


def _program(row: Row) -> list[object]:
    xdp = f"xdp id {row['xdp_program_id']}" if row["xdp_program_id"] else None
    return _lines(row["program"], f"id {row['program_id']}", xdp) if row["program"] else []


def _port(row: Row) -> list[object]:
    return _lines(row["port"], f"number {row['number']}", row["state"]) if row["port"] else []


def _counted(row: Row) -> list[object]:
    return [f"in {_in(row)}", f"out {_out(row)}"] if row["port"] else []


BINDINGS_NARROW: tuple[Column, ...] = (
    ("name", lambda row: _lines(row["name"], f"generation {row['generation']}")),
    ("function, port", lambda row: _lines(row["function"], row["port"])),
    ("state", lambda row: _lines(row["state"], row["profile"], f"VLAN {row['vlan']}")),
    ("mac, addresses", lambda row: _lines(row["mac"], ", ".join(_texts(row["addresses"])))),
)
PORTS: tuple[Column, ...] = (
    *keyed("name", "channel", "host", "function", "nic", "state", "profile"),
    ("vlan", _vlans),
    ("policy", lambda row: "; ".join(_policy(row))),
    *keyed("mac", "pin"),
    ("in frames/octets", _in),
    ("out", _out),
    ("delivered", "delivered_frames"),
    *keyed("drops", "note"),
)
PORTS_NARROW: tuple[Column, ...] = (
    ("port", lambda row: _lines(row["name"], row["channel"] and f"channel {row['channel']}")),
    ("function", lambda row: _lines(row["function"], row["nic"])),
    ("state", _state_lines),
    ("mac, pin", lambda row: _lines(row["mac"], row["pin"])),
    ("in, out", lambda row: [_in(row), _out(row)]),
    *keyed("drops", "note"),
)
RULES: tuple[Column, ...] = (
    *keyed("direction"),
    ("rule", lambda row: row["rule"] or ""),
    *keyed("name", "frames", "says"),
)
RULES_WATCHED: tuple[Column, ...] = (*RULES[:-1], *keyed("new", "says"))
HOPS: tuple[Column, ...] = (
    *keyed("hop", "what"),
    ("device", _device),
    ("program", _program),
    ("port", _port),
    ("frames/octets", _counted),
    *keyed("drops", "lost"),
)
HOPS_NARROW: tuple[Column, ...] = (
    ("hop", lambda row: f"{row['hop']} {row['what']}"),
    ("device", _device),
    ("program, port", lambda row: [*_program(row), *_port(row)]),
    ("frames/octets", lambda row: [*_counted(row), f"drops {row['drops']}", f"lost {row['lost']}"]),
)
