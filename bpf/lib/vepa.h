/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The port extender on a VEPA uplink (802.1Qbg): no channel's tag, every frame bears the C-tag of its VLAN, and its MAC
 * says whose it is. So sources are looked at here: a forged one would be another's port. Lists are named by their VLAN.
 * Its twin, and the specification, is src/openfex/rules/vepa.py.
 */
#ifndef FEX_VEPA_H
#define FEX_VEPA_H

#include "extender_maps.h"

/* The port that has a MAC; 0: none. In scalars: a frame whose address is given away must lie in memory on every kind. */
__noinline int owner_at(__u32 link, __u64 mac)
{
	union {
		struct fex_owner_key key;
		__u64 mac;
	} of = {.mac = mac};
	__u32 *port;

	of.key.link = link;
	port = bpf_map_lookup_elem(&owners, &of.key);
	return port ? *port : 0;
}

static __always_inline __u32 owner_of(__u32 link, const struct fex_mac *mac)
{
	return owner_at(link, *(const __u64 *)mac);
}

/* The VLAN that a function sends a frame in; below zero why it may not. Which VLANs a trunk has the bridge knows. */
__noinline int judge_up(__u32 port, __u64 src, __u32 tpid, __u32 tci, __u32 tags)
{
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);
	__u32 vlan = tpid == ETH_P_8021Q ? tci & VLAN_VID_MASK : 0;

	if (!function || (__u32)owner_at(link_of(port), src) != port)
		return -FEX_DROP_SPOOFED_SOURCE;
	if (function->flags & FEX_PORT_TRUNK)
		return vlan || function->vlan ? (int)(vlan ?: function->vlan) : -FEX_DROP_VLAN_NOT_ALLOWED;
	if (vlan || tpid == ETH_P_8021AD || tags > 1 || !function->vlan)
		return -FEX_DROP_VLAN_NOT_ALLOWED;
	return function->vlan;
}

/* From a function: in a VLAN of its own, from an address of its own. */
static __always_inline void tag_up(const struct frame *f, __u32 port, struct fex_decision *d)
{
	int vlan = judge_up(port, *(const __u64 *)&f->src, f->tpid, f->tci, f->vlan_tags);

	if (vlan <= 0)
		return drop(d, -vlan);
	d->vlan = vlan;
	d->tci = (f->tpid == ETH_P_8021Q ? f->tci & ~VLAN_VID_MASK : 0) | vlan;
	d->tagged = true;
}

static __always_inline bool is_on(const __u64 *words, __u32 channel)
{
	return words[channel >> 6 & 63] >> (channel & 63) & 1;
}

/* To who has the destination, without the tag where it has the VLAN untagged. */
static __always_inline void deliver_by_mac(const struct frame *f, __u32 port, const struct fex_list *list,
					   struct fex_decision *d)
{
	__u32 channel = port & FEX_CHANNEL_MASK;
	__u32 reason = judge_function(bpf_map_lookup_elem(&functions, &port));
	bool tagged = list && is_on(list->tagged, channel), untagged = list && is_on(list->untagged, channel);

	if (!reason && !tagged && !untagged)
		reason = FEX_DROP_VLAN_MISMATCH;
	if (reason)
		return drop(d, reason);
	d->verdict = FEX_VERDICT_DELIVER;
	d->out = port;
	d->vlan = tag_vid(f);
	d->tci = f->tci;
	d->tagged = !untagged;
}

/* From a VEPA uplink. To all that are in the VLAN, but not to who has the source, unless somebody has the destination. */
static __always_inline void decide_down_by_mac(const struct frame *f, __u32 link, struct fex_decision *d)
{
	__u32 key = link << 16 | tag_vid(f), port;
	struct fex_list *list;

	if (!is_in_vlan(f))
		return drop(d, FEX_DROP_NOT_IN_CHANNEL);
	list = bpf_map_lookup_elem(&lists, &key);
	port = owner_of(link, &f->dst);
	if (port)
		return deliver_by_mac(f, port, list, d);
	if (!list)
		return drop(d, FEX_DROP_UNKNOWN_LIST);
	d->verdict = FEX_VERDICT_REPLICATE;
	d->list = tag_vid(f);
	d->source = owner_of(link, &f->src) & FEX_CHANNEL_MASK;
}

#endif
