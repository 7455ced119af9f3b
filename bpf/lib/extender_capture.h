/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What leaves by a port of the extender, said at the verdict, before there are copies. */
#ifndef FEX_EXTENDER_CAPTURE_H
#define FEX_EXTENDER_CAPTURE_H

#include "capture.h"
#include "extender.h"

static __always_inline bool is_up(__u32 port)
{
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);

	return function && function->flags & FEX_PORT_UP;
}

static __always_inline bool is_on_list(const struct verdict *v, __u32 port, __u8 *leaves)
{
	__u32 channel = port & FEX_CHANNEL_MASK, link = link_of(port), word = channel >> 6;
	__u32 key = link << 16 | v->out >> 16;
	struct fex_list *list = bpf_map_lookup_elem(&lists, &key);

	if (!list || link != link_of(v->in) || channel == (v->out & 0xffff) || !is_up(port))
		return false;
	if (list->tagged[word & 63] >> (channel & 63) & 1)
		return true;
	*leaves = FEX_LEAVES_UNTAGGED;
	return list->untagged[word & 63] >> (channel & 63) & 1;
}

static __always_inline __u16 service_at(__u32 port)
{
	return 0; /* all of them are the bridge's */
}

static __always_inline bool goes_out(const struct verdict *v, __u32 port, __u8 *leaves)
{
	if (v->verdict == FEX_VERDICT_REPLICATE)
		return is_on_list(v, port, leaves);
	if (v->tci) /* VEPA */
		*leaves = v->tagged ? FEX_LEAVES_TAGGED : FEX_LEAVES_UNTAGGED;
	return v->out == port;
}

#endif
