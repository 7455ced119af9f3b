/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * S-channels: the outermost VLAN tag of an uplink's frames is the channel's. At tc it mostly lies outside the octets,
 * where the kernel or the adapter has put it; in XDP, and where nobody has taken it off, it is in them.
 * Its twin, and the specification, is src/openfex/rules/schannel.py.
 */
#ifndef FEX_SCHANNEL_H
#define FEX_SCHANNEL_H

#include "frame.h"

/* See a frame as it is inside its S-channel. What has no such tag is in the default channel, and stays as it is. */
__noinline int enter_schannel(FEX_CONTEXT *ctx, struct frame *f, __u32 kind)
{
	__be16 next[2]; /* the tag behind it: it has been read over, so it is there */

	if (!f || f->kind != FEX_KIND_NONE)
		return 0;
	if (f->tpid != schannel_tpid(kind) || !(f->tci & VLAN_VID_MASK)) {
		f->target = FEX_DEFAULT_CHANNEL;
		return 0;
	}
	f->kind = kind;
	f->target = f->tci & VLAN_VID_MASK;
	f->bad = f->target == FEX_DEFAULT_CHANNEL;
	f->octets -= VLAN_LEN * f->segments;
	f->channel_beside = f->out_of_band;
	f->out_of_band = false;
	if (f->vlan_tags == 1) {
		f->vlan_tags = 0;
		f->tpid = 0;
		f->tci = 0;
		return 0;
	}
	if (load_octets(ctx, 12 + channel_octets(f), next, sizeof(next)))
		return -1;
	f->vlan_tags -= !is_vlan(f->type); /* else three were counted, and there are more */
	f->tpid = bpf_ntohs(next[0]);
	f->tci = bpf_ntohs(next[1]);
	return 0;
}

/* A frame whose tag is not that of its link: whether it is in an S-channel of that kind, by a tag or without. */
__noinline int is_in_schannel(FEX_CONTEXT *ctx, struct frame *f, __u32 kind)
{
	if (!f || !is_schannel(kind))
		return 0;
	enter_schannel(ctx, f, kind);
	return f->kind == kind || f->kind == FEX_KIND_NONE;
}

/* Whether a frame that goes without a channel's tag would be taken for one in another S-channel. */
static __always_inline bool begins_with_channel(const struct frame *f, __u32 kind)
{
	return is_schannel(kind) && f->tpid == schannel_tpid(kind) && f->tci & VLAN_VID_MASK;
}

/* Whether a frame can leave by the default channel: no VLAN tag of its own may be taken for a channel's. */
static __always_inline bool may_go_untagged(const struct frame *f, __u32 kind, bool tagged, __u16 service)
{
	if (service)
		return false;
	return tagged ? kind == FEX_KIND_SCHANNEL : f->vlan_tags == (f->tpid == ETH_P_8021Q);
}

#endif
