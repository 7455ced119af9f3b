/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What a decision is given at tc, and how it reads what lies behind a frame's head. Included before all decisions. */
#ifndef FEX_CONTEXT_H
#define FEX_CONTEXT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define FEX_CONTEXT struct __sk_buff

static __always_inline long load_octets(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
	return bpf_skb_load_bytes(skb, at, to, n);
}

/* A checksum of the whole frame, where its device has made one, stays right. */
static __always_inline long store_octets(struct __sk_buff *skb, __u32 at, const void *from, __u32 n)
{
	return bpf_skb_store_bytes(skb, at, from, n, BPF_F_RECOMPUTE_CSUM);
}

static __always_inline __u32 octets_in(struct __sk_buff *skb)
{
	return skb->len;
}

#endif
