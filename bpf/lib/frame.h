/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * A frame's head, parsed once for every decision. The cursor style is the usual one: each parser checks the bounds,
 * advances, and returns the type of what follows.
 */
#ifndef FEX_FRAME_H
#define FEX_FRAME_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_VNTAG 0x8926
#define ETH_P_ETAG 0x893f
#define ETH_P_LLDP 0x88cc
#define ETH_P_ECP 0x8940

#define VNTAG_LEN 6
#define ETAG_LEN 8
#define VLAN_LEN 4
#define VLAN_VID_MASK 0x0fff
#define MOST_VLAN_TAGS 2 /* more is refused */
#define MOST_HEAD (14 + ETAG_LEN + 3 * VLAN_LEN)

/* A trace says what would be done. All that changes a table stands behind this. */
#ifdef FEX_TRACE
#define FEX_CHANGES false
#else
#define FEX_CHANGES true
#endif

/* Heads lie at even places, which the compiler must be told: it would read them octet by octet. */
struct eth_header {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
} __attribute__((packed, aligned(2)));

struct vlan_header {
	__be16 tci;
	__be16 type;
} __attribute__((packed, aligned(2)));

struct vntag_header {
	__be32 word;
	__be16 type;
} __attribute__((packed, aligned(2)));

struct etag_header {
	__be16 ingress; /* E-PCP, E-DEI, Ingress_E-CID_base */
	__be16 target; /* reserved, GRP, E-CID_base */
	__u8 ingress_ext;
	__u8 target_ext;
	__be16 type;
} __attribute__((packed, aligned(2)));

struct cursor {
	void *at;
	void *end;
};

struct frame {
	struct fex_mac dst;
	struct fex_mac src;
	__u32 kind; /* enum fex_kind of the outermost tag */
	__u32 target; /* 14 bits: dvif, or GRP and E-CID_base */
	__u32 source; /* svif, or Ingress_E-CID_base */
	bool down; /* VN-Tag d: from the bridge */
	bool list; /* VN-Tag p, GRP != 0 */
	bool looped; /* VN-Tag l */
	bool bad; /* a version or an extension that we do not speak */
	bool out_of_band; /* the outermost VLAN tag is in the skb, not in the octets */
	bool whole; /* it does not end inside its head */
	bool channel_beside; /* the channel's tag is in the skb, not in the octets */
	__u8 vlan_tags; /* how many, counted up to 3 */
	__u16 tpid; /* outermost VLAN tag; 0: none */
	__u16 tci;
	__u16 type; /* what follows the VLAN tags that were counted */
	__u16 inner; /* where what is of that type begins, in the octets */
	__u32 octets; /* length without the channel's tag */
	__u32 segments; /* frames on a real wire that this one stands for */
};

static __always_inline bool is_vlan(__u16 type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

static __always_inline bool is_channel_type(__u16 type)
{
	return type == ETH_P_VNTAG || type == ETH_P_ETAG;
}

static __always_inline bool is_schannel(__u32 kind)
{
	return kind == FEX_KIND_SCHANNEL || kind == FEX_KIND_SCHANNEL_Q;
}

static __always_inline __u16 schannel_tpid(__u32 kind)
{
	return kind == FEX_KIND_SCHANNEL ? ETH_P_8021AD : ETH_P_8021Q;
}

static __always_inline __u32 channel_overhead(__u32 kind)
{
	return kind >= FEX_KIND_SCHANNEL ? VLAN_LEN
	       : kind == FEX_KIND_VNTAG	 ? VNTAG_LEN
	       : kind == FEX_KIND_ETAG	 ? ETAG_LEN
					 : 0;
}

/* What of a frame's octets is the channel's tag. */
static __always_inline __u32 channel_octets(const struct frame *f)
{
	return f->channel_beside ? 0 : channel_overhead(f->kind);
}

/* Six octets in two words: left to itself the compiler moves them one by one, since they may lie anywhere. */
static __always_inline void copy_mac(void *to, const void *from)
{
	*(__u32 *)to = *(const __u32 *)from;
	*(__u16 *)(to + 4) = *(const __u16 *)(from + 4);
}

/* Each returns the type that follows, or -1 where the frame ends too early. */
static __always_inline int parse_eth(struct cursor *c, struct frame *f)
{
	struct eth_header *eth = c->at;

	if ((void *)(eth + 1) > c->end)
		return -1;
	copy_mac(&f->dst, eth->dst);
	copy_mac(&f->src, eth->src);
	c->at = eth + 1;
	return bpf_ntohs(eth->type);
}

static __always_inline int parse_vntag(struct cursor *c, struct frame *f)
{
	struct vntag_header *tag = c->at;
	__u32 word;

	if ((void *)(tag + 1) > c->end)
		return -1;
	word = bpf_ntohl(tag->word);
	f->kind = FEX_KIND_VNTAG;
	f->down = word >> 31;
	f->list = word >> 30 & 1;
	f->target = word >> 16 & FEX_LIST_MASK;
	f->looped = word >> 15 & 1;
	f->bad = word >> 12 & 3; /* version */
	f->source = word & FEX_CHANNEL_MASK;
	c->at = tag + 1;
	return bpf_ntohs(tag->type);
}

static __always_inline int parse_etag(struct cursor *c, struct frame *f)
{
	struct etag_header *tag = c->at;

	if ((void *)(tag + 1) > c->end)
		return -1;
	f->kind = FEX_KIND_ETAG;
	f->source = bpf_ntohs(tag->ingress) & FEX_CHANNEL_MASK;
	f->target = bpf_ntohs(tag->target) & FEX_LIST_MASK;
	f->list = f->target > FEX_CHANNEL_MASK;
	f->bad = tag->ingress_ext || tag->target_ext; /* a base port extender has 14 bits */
	c->at = tag + 1;
	return bpf_ntohs(tag->type);
}

static __always_inline int parse_vlans(struct cursor *c, struct frame *f, int type)
{
#pragma unroll
	for (int i = 0; i < MOST_VLAN_TAGS + 1; i++) {
		struct vlan_header *tag = c->at;

		if (!is_vlan(type) || f->vlan_tags > MOST_VLAN_TAGS)
			break;
		if ((void *)(tag + 1) > c->end)
			return -1;
		if (!f->vlan_tags) {
			f->tpid = type;
			f->tci = bpf_ntohs(tag->tci);
		}
		f->vlan_tags++;
		c->at = tag + 1;
		type = bpf_ntohs(tag->type);
	}
	return type;
}

/* Parse a head. An out-of-band VLAN tag (set in f beforehand) is the outermost. */
static __always_inline void parse_frame(struct cursor *c, struct frame *f)
{
	void *start = c->at;
	int type = parse_eth(c, f);

	if (!f->out_of_band && type == ETH_P_VNTAG)
		type = parse_vntag(c, f);
	else if (!f->out_of_band && type == ETH_P_ETAG)
		type = parse_etag(c, f);
	if (type >= 0)
		type = parse_vlans(c, f, type);
	f->octets -= channel_overhead(f->kind);
	f->type = type;
	f->inner = c->at - start;
	f->whole = type >= 0;
}

static __always_inline bool same_mac(const struct fex_mac *a, const struct fex_mac *b)
{
	return *(const __u64 *)a == *(const __u64 *)b;
}

static __always_inline bool is_group(const struct fex_mac *mac)
{
	return mac->octets[0] & 1;
}

/* The VLAN of the outermost C-tag; 0: none, or a priority tag. */
static __always_inline __u32 tag_vid(const struct frame *f)
{
	return f->tpid == ETH_P_8021Q ? f->tci & VLAN_VID_MASK : 0;
}

/* From a VEPA uplink: whether it says which VLAN it is in. */
static __always_inline bool is_in_vlan(const struct frame *f)
{
	return f->kind == FEX_KIND_NONE && tag_vid(f);
}

/* Who a frame is for. */
static __always_inline __u32 cast_of(const struct fex_mac *mac)
{
	const struct fex_mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0};

	if (!is_group(mac))
		return FEX_CAST_UNICAST;
	return same_mac(mac, &all) ? FEX_CAST_BROADCAST : FEX_CAST_MULTICAST;
}

/* To an address that no bridge forwards: 01-80-C2-00-00-00 to -0F. */
static __always_inline bool is_link_local(const struct fex_mac *mac)
{
	const struct fex_mac first = {{0x01, 0x80, 0xc2, 0, 0, 0}, 0};
	struct fex_mac block = *mac;

	block.octets[5] &= 0xf0;
	return same_mac(&block, &first);
}

/* Signalling: LLDP or ECP without any tag. From an uplink it is for the node's own agent, from a machine a forgery. */
static __always_inline bool is_control(const struct frame *f)
{
	if (f->kind != FEX_KIND_NONE || f->vlan_tags || (f->type != ETH_P_LLDP && f->type != ETH_P_ECP))
		return false;
	return is_link_local(&f->dst);
}

/* Drop reasons that hold for whoever sends a frame into our ports. */
static __always_inline __u32 judge_head(const struct frame *f)
{
	const struct fex_mac bpdu = {{0x01, 0x80, 0xc2, 0, 0, 0}, 0};
	const struct fex_mac pvst = {{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd}, 0};

	if (f->vlan_tags > MOST_VLAN_TAGS)
		return FEX_DROP_TOO_MANY_TAGS;
	if (is_channel_type(f->type))
		return FEX_DROP_FORGED_TAG;
	if (!is_group(&f->dst))
		return FEX_DROP_NONE;
	if (same_mac(&f->dst, &bpdu) || same_mac(&f->dst, &pvst))
		return FEX_DROP_BPDU;
	return is_link_local(&f->dst) ? FEX_DROP_LINK_LOCAL : FEX_DROP_NONE;
}

#endif
