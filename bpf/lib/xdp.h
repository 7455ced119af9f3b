/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Acting on a decision in XDP, before there is an skb: for frames with one way to go. What needs copies is passed on,
 * untouched and uncounted, to the tc program of the same device, which decides the same and makes the copies.
 */
#ifndef FEX_XDP_H
#define FEX_XDP_H

#include "maps.h"
#include "tag.h"

/* The port (extender) or link (bridge) of a device: array, key = ifindex. XDP has nothing like a filter's classid. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} ingress SEC(".maps");

/* Where a port's frames go: key = port. Sized by the loader like the other tables that have a row a port. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1 << FEX_CHANNEL_BITS);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

static __always_inline __u32 attached_for(struct xdp_md *ctx)
{
#ifdef FEX_TEST
	__u32 *number = (void *)(long)ctx->data_meta; /* a test run has no device */

	return (void *)(number + 1) > (void *)(long)ctx->data ? 0 : *number;
#else
	__u32 ifindex = ctx->ingress_ifindex;
	__u32 *number = bpf_map_lookup_elem(&ingress, &ifindex);

	return number ? *number : 0;
#endif
}

static __always_inline void read_frame(struct xdp_md *ctx, struct frame *f)
{
	struct cursor c = {.at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};

	f->octets = ctx->data_end - ctx->data;
	f->segments = 1;
	parse_frame(&c, f);
}

/* A new head: the addresses, the channel's tag if any, a VLAN tag if `vlan`; `remove` octets of the old one go. */
static __always_inline int write_head(struct xdp_md *ctx, const struct frame *f, __u32 remove, const struct tag *tag,
				      bool vlan, __u16 tci)
{
	__u32 overhead = channel_overhead(tag->kind);
	struct eth_header *eth;
	__be16 *words;
	__u8 *at;

	if (bpf_xdp_adjust_head(ctx, (int)remove - (int)(overhead + (vlan ? VLAN_LEN : 0))))
		return -1;
	eth = (void *)(long)ctx->data;
	at = (__u8 *)eth + 12;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(eth->dst, f->dst.octets, 6);
	__builtin_memcpy(eth->src, f->src.octets, 6);
	if (tag->kind == FEX_KIND_ETAG) {
		if (at + ETAG_LEN > (__u8 *)(long)ctx->data_end)
			return -1;
		__builtin_memcpy(at, tag->octets, ETAG_LEN);
		at += ETAG_LEN;
	} else if (tag->kind == FEX_KIND_VNTAG) {
		if (at + VNTAG_LEN > (__u8 *)(long)ctx->data_end)
			return -1;
		__builtin_memcpy(at, tag->octets, VNTAG_LEN);
		at += VNTAG_LEN;
	}
	if (!vlan)
		return 0;
	words = (void *)at;
	if ((void *)(words + 2) > (void *)(long)ctx->data_end)
		return -1;
	words[0] = bpf_htons(ETH_P_8021Q);
	words[1] = bpf_htons(tci);
	return 0;
}

static __always_inline int fail(const struct fex_decision *d, const struct frame *f)
{
	count_drop(d->in, FEX_DROP_NOT_SENT, f->segments);
	return XDP_DROP;
}

static __always_inline int send_to(const struct fex_decision *d, const struct frame *f, __u32 device)
{
	long action = bpf_redirect_map(&devices, device, 0);

#ifndef FEX_TEST
	if (action != XDP_REDIRECT)
		return fail(d, f);
#endif
	count_out(d->out, f);
	return action;
}

#endif
