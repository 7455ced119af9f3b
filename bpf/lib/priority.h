/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The priority of a frame inside the bridge, and the DSCP that is written into it: docs/design/policy.md.
 * Its twin, and the specification, is src/openfex/rules/priority.py.
 */
#ifndef FEX_PRIORITY_H
#define FEX_PRIORITY_H

#include "packet.h"

#define PCP_SHIFT 13
#define IPV4_OCTETS 20
#define IPV4_CHECKSUM_AT 10
#define IPV6_OCTETS 40
#define DSCP_MASK 63

/* PCP and DEI, as they stand in a VLAN tag. */
static __always_inline __u16 priority_bits(__u16 tci)
{
	return tci & ~VLAN_VID_MASK;
}

/* Where the DSCP stands in the first word of an IP header. */
static __always_inline __u32 dscp_shift(__u32 type)
{
	return type == ETH_P_IP ? 2 : 6;
}

/* The first word of an IP header; 0 where there is none, or not all of it. */
static __always_inline __u32 read_ip_word(FEX_CONTEXT *ctx, const struct frame *f)
{
	const __u32 least = f->type == ETH_P_IP ? IPV4_OCTETS : IPV6_OCTETS;
	__u8 word[2];

	if ((f->type != ETH_P_IP && f->type != ETH_P_IPV6) || octets_in(ctx) < f->inner + least ||
	    load_octets(ctx, f->inner, word, sizeof(word)))
		return 0;
	return word[0] >> 4 == (f->type == ETH_P_IP ? 4 : 6) ? word[0] << 8 | word[1] : 0;
}

/* A C-tag's, or where a service tag was all that it bore, that one's. */
static __always_inline bool has_priority(const struct frame *f, const struct fex_decision *d)
{
	return f->tpid == ETH_P_8021Q || (d->unwrapped && !f->tpid);
}

/* Where a port asks for another priority than what the frame's C-tag says. */
__noinline int decide_priority(FEX_CONTEXT *ctx, const struct frame *f, const struct fex_policy *policy,
			       struct fex_decision *d)
{
	__u32 word;

	if (!f || !policy || !d)
		return 0;
	word = read_ip_word(ctx, f);
	d->tci = policy->pcp << PCP_SHIFT;
	if (policy->flags & FEX_POLICY_TRUST_PCP && has_priority(f, d))
		d->tci = priority_bits(f->tci);
	else if (policy->flags & FEX_POLICY_TRUST_DSCP && word)
		d->tci = (word >> dscp_shift(f->type) & DSCP_MASK) >> 3 << PCP_SHIFT;
	d->mark = word ? policy->mark : 0;
	return 0;
}

/* IPv4's checksum is changed by what the word was before (RFC 1624, 3). */
static __always_inline long change_checksum(FEX_CONTEXT *ctx, __u32 at, __u16 old, __u16 new)
{
	__be16 sum;
	__u32 total;

	if (load_octets(ctx, at, &sum, sizeof(sum)))
		return -1;
	total = (__u16)~bpf_ntohs(sum) + (__u16)~old + new;
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	sum = bpf_htons(~total);
	return store_octets(ctx, at, &sum, sizeof(sum));
}

/* What lies behind the channel's tag has not been moved yet. A super-frame's header becomes that of each segment. */
__noinline int write_dscp(FEX_CONTEXT *ctx, const struct frame *f, __u32 mark)
{
	__u32 shift, old;
	__be16 word;
	__u16 new;

	if (!f)
		return -1;
	shift = dscp_shift(f->type);
	old = read_ip_word(ctx, f);
	new = (old & ~(DSCP_MASK << shift)) | (mark & DSCP_MASK) << shift;
	word = bpf_htons(new);
	if (!old || store_octets(ctx, f->inner, &word, sizeof(word)))
		return -1;
	return f->type == ETH_P_IP ? change_checksum(ctx, f->inner + IPV4_CHECKSUM_AT, old, new) : 0;
}

#endif
