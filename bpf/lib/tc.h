/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Acting on a decision at tc ingress. GSO super-frames stay whole: tags are pushed by growing the head, and popped by
 * turning their octets into VLAN tags that the kernel then takes off, because only the kernel's VLAN helpers reset
 * skb->protocol. The outermost VLAN tag lives outside the octets here (skb->vlan_*), and a channel's tag must go
 * outside it.
 */
#ifndef FEX_TC_H
#define FEX_TC_H

#include <linux/pkt_cls.h>

#include "capture.h"
#include "tag.h"
#include "tc_frame.h"

#define PACKET_HOST 0

/* Where the octets of a frame begin now, and where those end that are at hand. */
static __always_inline struct cursor octets_of(struct __sk_buff *skb, __u32 from)
{
	return (struct cursor){.at = (void *)(long)skb->data + from, .end = (void *)(long)skb->data_end};
}

/* Both write at the cursor, and advance it. */
static __always_inline int write_tag(struct cursor *c, const struct tag *tag)
{
	__u8 *to = c->at;

	if (tag->kind == FEX_KIND_ETAG) {
		if ((void *)to + ETAG_LEN > c->end)
			return -1;
		put_etag(to, tag);
		c->at = to + ETAG_LEN;
		return 0;
	}
	if ((void *)to + VNTAG_LEN > c->end)
		return -1;
	put_vntag(to, tag);
	c->at = to + VNTAG_LEN;
	return 0;
}

static __always_inline int write_vlan(struct cursor *c, __be16 tpid, __be16 tci)
{
	__be16 *to = c->at;

	if ((void *)(to + 2) > c->end)
		return -1;
	to[0] = tpid;
	to[1] = tci;
	c->at = to + 2;
	return 0;
}

/* Grow the head by n octets behind the MAC addresses. */
static __always_inline int open_gap(struct __sk_buff *skb, __u32 n)
{
	__be16 *from, *to, macs[6];
	struct cursor c;

	if (bpf_skb_change_head(skb, n, 0))
		return -1;
	c = octets_of(skb, 0);
	to = c.at;
	from = c.at + n;
	if ((void *)(to + 6) > c.end || (void *)(from + 6) > c.end)
		return -1;
	__builtin_memcpy(macs, from, 12); /* both may overlap */
	__builtin_memcpy(to, macs, 12);
	return 0;
}

/* An S-channel's tag is one that the kernel knows: it goes outside all others by itself. */
static __always_inline int push_schannel(struct __sk_buff *skb, const struct tag *tag)
{
	return bpf_skb_vlan_push(skb, *(const __be16 *)tag->octets, bpf_ntohs(*(const __be16 *)(tag->octets + 2)));
}

/* With VEPA it is the VLAN's, in the place of the frame's own. */
static __always_inline int put_vlan(struct __sk_buff *skb, const struct tag *tag)
{
	__be16 tpid = bpf_htons(ETH_P_8021Q);
	__u16 tci = bpf_ntohs(*(const __be16 *)(tag->octets + 2));
	bool own = skb->protocol == tpid; /* in the octets */

	if (skb->vlan_present) {
		own = skb->vlan_proto == tpid;
		if (own && skb->vlan_tci == tci)
			return 0;
	}
	if (own && bpf_skb_vlan_pop(skb))
		return -1;
	return bpf_skb_vlan_push(skb, tpid, tci);
}

/* VLAN tags must be inside the channel's. Each pop lifts the next tag out of the octets, hence the loop. */
__noinline int push_tag(struct __sk_buff *skb, struct tag *tag)
{
	__be16 tpids[MOST_VLAN_TAGS + 1] = {};
	__be16 tcis[MOST_VLAN_TAGS + 1] = {};
	struct cursor c;
	__u32 n;

	if (!tag)
		return -1;
	if (is_schannel(tag->kind))
		return push_schannel(skb, tag);
	if (tag->kind == FEX_KIND_VEPA)
		return put_vlan(skb, tag);
#pragma unroll
	for (n = 0; n < MOST_VLAN_TAGS + 1; n++) {
		if (!skb->vlan_present)
			break;
		tpids[n] = skb->vlan_proto;
		tcis[n] = bpf_htons(skb->vlan_tci);
		if (bpf_skb_vlan_pop(skb))
			return -1;
	}
	if (open_gap(skb, channel_overhead(tag->kind) + n * VLAN_LEN))
		return -1;
	c = octets_of(skb, 12);
	if (write_tag(&c, tag))
		return -1;
#pragma unroll
	for (__u32 i = 0; i < MOST_VLAN_TAGS + 1; i++)
		if (i < n && write_vlan(&c, tpids[i], tcis[i]))
			return -1;
	return 0;
}

__noinline int pop_tag(struct __sk_buff *skb, __u32 kind)
{
	__be16 tpid = bpf_htons(ETH_P_8021Q);
	struct cursor c;

	if (is_schannel(kind))
		return bpf_skb_vlan_pop(skb);
	/* 6 octets are no multiple of a VLAN tag's 4: make them 8 */
	if (kind == FEX_KIND_VNTAG && open_gap(skb, ETAG_LEN - VNTAG_LEN))
		return -1;
	c = octets_of(skb, 12);
	if (write_vlan(&c, tpid, 0) || write_vlan(&c, tpid, 0))
		return -1;
	/* the second push moves the first into the octets, which sets skb->protocol so that pop will act */
	if (bpf_skb_vlan_push(skb, tpid, 0) || bpf_skb_vlan_push(skb, tpid, 0))
		return -1;
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (bpf_skb_vlan_pop(skb))
			return -1;
	return 0;
}

/* Say which class of a device's queue a frame is in: that of its PCP. */
static __always_inline void queue_by(struct __sk_buff *skb, const struct fex_link *row, __u16 tci)
{
	if (row->flags & FEX_PORT_QUEUED)
		skb->priority = FEX_QUEUE + (tci >> 13);
}

/* Straight to the far end of a veth is one queue less. Its network stack will see the frame as it is: as one for
 * others, unless it is told so.
 */
static __always_inline int send_by(__u32 ifindex, __u32 flags)
{
	return flags & FEX_PORT_DIRECT ? bpf_redirect_peer(ifindex, 0) : bpf_redirect(ifindex, 0);
}

/* A frame that could not be shaped after its verdict: the copy is a drop of its own. */
static __always_inline int fail(struct __sk_buff *skb, const struct fex_decision *d, const struct frame *f)
{
	drop_late(skb, d->in, FEX_DROP_NOT_SENT, f->segments);
	return TC_ACT_SHOT;
}

/* A frame has become copies; each is counted out, or dropped as not-sent. */
static __always_inline int finish(struct __sk_buff *skb, const struct fex_decision *d, const struct frame *f,
				  __u32 copies)
{
	if (!copies) {
		drop_late(skb, d->in, FEX_DROP_NO_RECEIVER, f->segments);
		return TC_ACT_SHOT;
	}
	count_total(FEX_TOTAL_REPLICATED, (__u64)(copies - 1) * f->segments);
	return TC_ACT_STOLEN;
}

/* It cannot be shaped for the copies that are left: they are one more, that is not sent. */
static __always_inline int fail_after(struct __sk_buff *skb, const struct fex_decision *d, const struct frame *f,
				      __u32 copies)
{
	fail(skb, d, f);
	return finish(skb, d, f, copies + 1);
}

#endif
