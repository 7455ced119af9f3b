/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What a decision is given in XDP, and how it reads what lies behind a frame's head. Included before all decisions. */
#ifndef FEX_CONTEXT_H
#define FEX_CONTEXT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define FEX_CONTEXT struct xdp_md

static __always_inline long load_octets(struct xdp_md *ctx, __u32 at, void *to, __u32 n)
{
	return bpf_xdp_load_bytes(ctx, at, to, n);
}

static __always_inline long store_octets(struct xdp_md *ctx, __u32 at, const void *from, __u32 n)
{
	return bpf_xdp_store_bytes(ctx, at, (void *)from, n);
}

static __always_inline __u32 octets_in(struct xdp_md *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}

#endif
