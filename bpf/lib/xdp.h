/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Acting on a decision in XDP, before there is an skb: for frames with one way to go, by a device that takes what XDP
 * sends. All others are passed on, untouched and uncounted, to the tc program of the same device, which decides the
 * same: what needs copies, what leaves by another kind of wire, everything while somebody captures.
 */
#ifndef FEX_XDP_H
#define FEX_XDP_H

#include "captured.h"
#include "maps.h"
#include "tag.h"

/* The port (extender) or link (bridge) of a device: array, key = ifindex. XDP has nothing like a filter's classid. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FEX_LAST_IFINDEX + 1);
	__type(key, __u32);
	__type(value, __u32);
} ingress SEC(".maps");

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

/* A frame may lie in several pieces, and only the first is at hand: that must hold all that is read and rewritten. */
static __always_inline bool is_for_tc(struct xdp_md *ctx)
{
	__u32 first = ctx->data_end - ctx->data;

	return is_captured() || (first < MOST_HEAD && first < bpf_xdp_get_buff_len(ctx));
}

static __always_inline void read_frame(struct xdp_md *ctx, struct frame *f)
{
	struct cursor c = {.at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};

	f->octets = bpf_xdp_get_buff_len(ctx);
	f->segments = 1;
	parse_frame(&c, f);
}

static __always_inline int write_tag(struct xdp_md *ctx, const struct tag *tag)
{
	__u8 *at = (void *)(long)ctx->data + 12;

	if (tag->kind >= FEX_KIND_SCHANNEL) {
		if (at + VLAN_LEN > (__u8 *)(long)ctx->data_end)
			return -1;
		*(__u32 *)at = *(const __u32 *)tag->octets;
	} else if (tag->kind == FEX_KIND_ETAG) {
		if (at + ETAG_LEN > (__u8 *)(long)ctx->data_end)
			return -1;
		put_etag(at, tag);
	} else if (tag->kind == FEX_KIND_VNTAG) {
		if (at + VNTAG_LEN > (__u8 *)(long)ctx->data_end)
			return -1;
		put_vntag(at, tag);
	}
	return 0;
}

/* Take `remove` octets away behind the MAC addresses, and make room for `add`. */
static __always_inline int resize_head(struct xdp_md *ctx, const struct frame *f, __u32 remove, __u32 add)
{
	struct eth_header *eth;

	if (bpf_xdp_adjust_head(ctx, (int)remove - (int)add))
		return -1;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	copy_mac(eth->dst, &f->dst);
	copy_mac(eth->src, &f->src);
	return 0;
}

static __always_inline int write_vlan(struct xdp_md *ctx, __u32 at, __u16 tpid, __u16 tci)
{
	__be16 *words = (void *)(long)ctx->data + 12 + at;

	if ((void *)(words + 2) > (void *)(long)ctx->data_end)
		return -1;
	words[0] = bpf_htons(tpid);
	words[1] = bpf_htons(tci);
	return 0;
}

/* Looked at before anything is counted. A link that has no row does not. */
static __always_inline bool takes_xdp(__u32 link)
{
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);

	return row && row->flags & FEX_PORT_XDP;
}

static __always_inline int fail(const struct fex_decision *d, const struct frame *f)
{
	count_drop(d->in, FEX_DROP_NOT_SENT, f->segments);
	return XDP_DROP;
}

/* The kernel gathers what is sent by one device, also without a map of devices. Back where it came from is less work. */
static __always_inline int send_by(struct xdp_md *ctx, const struct fex_decision *d, const struct frame *f,
				   __u32 ifindex)
{
	count_out(d->out, f);
	return ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(ifindex, 0);
}

#endif
