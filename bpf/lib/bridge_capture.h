/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What leaves by a port of the bridge, said at the verdict, before there are copies. */
#ifndef FEX_BRIDGE_CAPTURE_H
#define FEX_BRIDGE_CAPTURE_H

#include "bridge.h"
#include "capture.h"

/* A vEth's copy is its own, or made by its host out of that of the uplink: does it get one? */
static __always_inline bool is_member_of_flood(const struct verdict *v, __u32 port, __u8 *leaves)
{
	__u32 in = v->in, vlan = v->tci & VLAN_VID_MASK;
	struct fex_port *from = bpf_map_lookup_elem(&ports, &in);
	struct fex_port *to = bpf_map_lookup_elem(&ports, &port);

	struct fex_policy *policy = to ? policy_of(to) : NULL;

	if (!from || !to || !policy || !(to->flags & FEX_PORT_UP) || !is_member(policy, vlan))
		return false;
	*leaves = leaves_tagged(to, policy, vlan) ? FEX_LEAVES_TAGGED : FEX_LEAVES_UNTAGGED;
	return (from->flags & (FEX_PORT_NETWORK | FEX_PORT_PEERING)) != FEX_PORT_NETWORK || to->pin == in;
}

static __always_inline bool is_flooded(const struct verdict *v, __u32 port, __u8 *leaves)
{
	__u32 link = link_of(port);

	*leaves = FEX_LEAVES_TAGGED; /* as all copies to uplinks and peers are */
	if (link >= FEX_FIRST_UPLINK)
		return port & FEX_CHANNEL_MASK ? is_member_of_flood(v, port, leaves)
					       : v->uplinks >> ((link - FEX_FIRST_UPLINK) & 63) & 1;
	if (link != (v->out & 0xffff))
		return v->out >> 16 >> (link & 15) & 1;
	*leaves = v->tagged ? FEX_LEAVES_TAGGED : FEX_LEAVES_UNTAGGED;
	return true;
}

static __always_inline __u16 service_at(__u32 port)
{
	return service_of(port);
}

static __always_inline bool goes_out(const struct verdict *v, __u32 port, __u8 *leaves)
{
	if (v->verdict == FEX_VERDICT_FLOOD)
		return is_flooded(v, port, leaves);
	*leaves = v->tagged ? FEX_LEAVES_TAGGED : FEX_LEAVES_UNTAGGED;
	return v->out == port;
}

#endif
