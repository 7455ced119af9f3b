/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* The tags that we write: docs/reference/tags.md, in octets. Twin: rules/engine.py up_tag, down_tag. */
#ifndef FEX_TAG_H
#define FEX_TAG_H

#include "frame.h"

/* A channel's tag on its way out. `target`: VIF or list, GRP and E-CID_base. Octets in wire order, 4, 6 or 8 of them. */
struct tag {
	__u8 octets[8] __attribute__((aligned(8)));
	__u32 kind;
};

/* In either direction; the default channel has none. */
static __always_inline struct tag schannel_tag(__u32 kind, __u32 channel, __u16 tci)
{
	__u16 word = (tci & ~VLAN_VID_MASK) | channel, tpid = schannel_tpid(kind);

	if (channel == FEX_DEFAULT_CHANNEL)
		return (struct tag){.kind = FEX_KIND_NONE};
	return (struct tag){.octets = {tpid >> 8, tpid, word >> 8, word}, .kind = kind};
}

/* A channel's tag has the priority of `tci`; VN-Tag has no place for one. With VEPA it is the VLAN's, and all of `tci`. */
static __always_inline struct tag up_tag(__u32 kind, __u32 channel, __u16 tci)
{
	struct tag tag = {.octets = {0x89, 0x26, 0, 0, channel >> 8, channel}, .kind = kind};

	if (kind == FEX_KIND_VEPA)
		return (struct tag){.octets = {0x81, 0x00, tci >> 8, tci}, .kind = kind};
	if (is_schannel(kind))
		return schannel_tag(kind, channel, tci);
	if (kind == FEX_KIND_ETAG)
		tag = (struct tag){.octets = {0x89, 0x3f, tci >> 8 & 0xf0, 0, channel >> 8, channel}, .kind = kind};
	return tag;
}

/* From the bridge. A source is named to lists by both kinds, and to a single VIF by VN-Tag alone. */
static __always_inline struct tag down_tag(__u32 kind, __u32 target, bool list, __u32 source, __u16 tci)
{
	struct tag tag = {.kind = kind};

	if (kind == FEX_KIND_VEPA)
		return (struct tag){.kind = FEX_KIND_NONE};
	if (is_schannel(kind))
		return schannel_tag(kind, target, tci);
	if (kind == FEX_KIND_ETAG) {
		__u32 ingress = (tci & ~VLAN_VID_MASK) | (list ? source : 0);

		__builtin_memcpy(tag.octets, ((__u8[8]){0x89, 0x3f, ingress >> 8, ingress, target >> 8, target}), 8);
		return tag;
	}
	__builtin_memcpy(tag.octets,
			 ((__u8[8]){0x89, 0x26, 0x80 | (list ? 0x40 : 0) | target >> 8, target,
				    (source ? 0x80 : 0) | source >> 8, source}),
			 8);
	return tag;
}

/* In words, as it lies at an even place. */
static __always_inline void put_vntag(void *to, const struct tag *tag)
{
	*(__u32 *)to = *(const __u32 *)tag->octets;
	*(__u16 *)(to + 4) = *(const __u16 *)(tag->octets + 4);
}

static __always_inline void put_etag(void *to, const struct tag *tag)
{
	*(__u32 *)to = *(const __u32 *)tag->octets;
	*(__u32 *)(to + 4) = *(const __u32 *)(tag->octets + 4);
}

static __always_inline bool has_vlan_tag(const struct frame *f)
{
	return f->tpid == ETH_P_8021Q; /* a priority tag is one too: it is taken off like any other */
}

/* The VLAN tag stays as it is: then so do all octets behind the channel's tag. */
static __always_inline bool keeps_vlan(const struct frame *f, const struct fex_decision *d)
{
	return has_vlan_tag(f) ? d->tagged && d->tci == f->tci : !d->tagged;
}

/* With VEPA: it was on the uplink alone, and comes off at the function. */
static __always_inline bool leaves_vlan(const struct fex_decision *d)
{
	return d->vlan && !d->tagged;
}

/* So do the service tags: there is none that comes off, and none to be put on. */
static __always_inline bool keeps_tags(const struct frame *f, const struct fex_decision *d)
{
	return keeps_vlan(f, d) && !d->unwrapped && !d->service;
}

#endif
