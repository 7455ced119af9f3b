# SPDX-License-Identifier: Apache-2.0
"""Writes rack.yaml: `python3 examples/rack.py > examples/rack.yaml`. Change the numbers for a rack of your own."""

HOSTS, BRIDGES, FUNCTIONS = 32, 2, 8
ROLES = ["web"] * 4 + ["app"] * 2 + ["db"] * 2
VLANS = {"web": 10, "app": 20, "db": 30}

HEAD = """\
# yaml-language-server: $schema=../docs/reference/document.schema.json
#
# A rack: 32 hosts with 8 functions each, all of them bound, on two controlling bridges that a peer port joins.
#
#   fex lab up examples/rack.yaml
#   fex show ports
#   fex lab exec web-1701 iperf3 -s -D -1
#   fex lab exec web-0101 iperf3 -c 10.0.10.17    # from sw-1 to sw-2, over the peers
#
# Hosts 1 to 16 are on sw-1, 17 to 32 on sw-2; web-0102 is the 2nd machine of host 1. Written by examples/rack.py.
kind: network
name: rack
spec:
  bridges:
    sw-1: {fabric: a, ports: {up0: {}, peer0: {peer: true, profile: tenants}}}
    sw-2: {fabric: a, ports: {up0: {}, peer0: {peer: true, profile: tenants}}}
  wires:
    - [sw-1/peer0, sw-2/peer0]    # the cable between the bridges; up0 of each leads out of the lab
---
# What the bridges exchange: the tenants' VLANs, always tagged.
kind: profile
name: tenants
spec: {vlan: {trunk: {allowed: [10, 20, 30]}}}
"""


def main() -> None:
    """Print the documents."""
    parts = [HEAD]
    parts += [f"kind: profile\nname: {name}\nspec: {{vlan: {{access: {vlan}}}}}\n" for name, vlan in VLANS.items()]
    for host in range(1, HOSTS + 1):
        name, bridge = f"h{host:02}", f"sw-{1 + (host - 1) * BRIDGES // HOSTS}"
        channel = "vntag" if host % 2 else "etag"
        spec = f"{{channel: {channel}, uplinks: {{a: {{device: up-a, bridge: {bridge}}}}}}}"
        parts.append(f"kind: host\nname: {name}\nspec: {spec}\n")
        spec = f"{{host: {name}, model: vic-1280, functions: {FUNCTIONS}}}"
        parts.append(f"kind: adapter\nname: {name}-nic0\nspec: {spec}\n")
        for number, role in enumerate(ROLES, start=1):
            address = f"10.0.{VLANS[role]}.{(number - 1 - ROLES.index(role)) * HOSTS + host}/24"
            nic = f"{{profile: {role}, address: {address}}}"
            parts.append(
                f"kind: machine\nname: {role}-{host:02}{number:02}\nspec: {{host: {name}, nics: {{eth0: {nic}}}}}\n"
            )
    print("---\n".join(parts), end="")


if __name__ == "__main__":
    main()
