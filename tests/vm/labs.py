# SPDX-License-Identifier: Apache-2.0
"""The lab of the tests of virtual machines."""

from __future__ import annotations

LAB = "test-vm"
NETWORK = f"""
kind: network
name: {LAB}
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: data
spec: {{vlan: {{access: 20}}}}
---
kind: profile
name: jumbo
spec: {{vlan: {{access: 30}}}}
---
kind: host
name: h1
spec: {{channel: etag, uplinks: {{a: {{device: up-a, bridge: sw, mtu: 9216}}}}}}
---
kind: host
name: h2
spec: {{channel: vntag, uplinks: {{a: {{device: up-a, bridge: sw, mtu: 9216}}}}}}
---
kind: adapter
name: h2-taps
spec: {{host: h2, model: bcm-8, functions: 2, backing: tap}}
---
kind: adapter
name: taps
spec: {{host: h1, model: bcm-8, functions: 4, backing: tap}}
---
kind: adapter
name: veths
spec: {{host: h1, model: bcm-8, functions: 4}}
---
kind: machine
name: vm2
spec:
  host: h1
  nics: {{eth0: {{profile: web, address: 10.0.10.2/24}}, eth1: {{profile: jumbo, address: 10.0.30.2/24, mtu: 9000}}}}
---
kind: machine
name: vm3
spec: {{host: h1, nics: {{eth0: {{profile: data, address: 10.0.10.3/24}}}}}}
"""
GUEST = """
---
kind: machine
name: vm1
spec:
  host: h1
  type: qemu
  nics:
    eth1: {profile: web, address: [10.0.10.1/24, "fd00:10::1/64"]}
    eth0: {profile: jumbo, address: 10.0.30.1/24, mtu: 9000}
"""
"""The guest's NICs are written in another order than their names have: a guest must not take them for each other."""
