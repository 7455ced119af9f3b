// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The controlling bridge in XDP, beside bridge_in at tc: xdp_bridge_in on uplinks. */
#include "xdp_context.h"

#include "settle.h"
#include "xdp.h"

/* From uplink to uplink with the same kind of tag, and nothing to do behind it. */
static __always_inline bool turns_in_place(const struct frame *f, const struct fex_decision *d, __u32 kind)
{
	return kind == f->kind && kind != FEX_KIND_NONE && keeps_tags(f, d);
}

static __always_inline int write_head(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d,
				      const struct tag *tag)
{
	__u32 vlans = has_vlan_tag(f) + d->unwrapped, left = d->tagged + !!d->service;
	__u32 at = channel_overhead(tag->kind);

	if (turns_in_place(f, d, tag->kind))
		return write_tag(ctx, tag);
	if (resize_head(ctx, f, channel_overhead(f->kind) + vlans * VLAN_LEN, at + left * VLAN_LEN) ||
	    write_tag(ctx, tag))
		return -1;
	if (d->service) {
		if (write_vlan(ctx, at, ETH_P_8021AD, service_tci(d, d->service)))
			return -1;
		at += VLAN_LEN;
	}
	return d->tagged ? write_vlan(ctx, at, ETH_P_8021Q, d->tci) : 0;
}

static __always_inline int deliver(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	__u32 link = link_of(d->out);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	struct tag tag = {.kind = FEX_KIND_NONE};

	if (!row)
		return fail(d, f);
	if (row->kind != FEX_KIND_NONE)
		tag = down_tag(row->kind, d->out & FEX_CHANNEL_MASK, false, d->source, d->tci);
	if ((d->mark && write_dscp(ctx, f, d->mark)) || write_head(ctx, f, d, &tag))
		return fail(d, f);
	return send_by(ctx, d, f, row->ifindex);
}

static __always_inline void decide_here(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	read_frame(ctx, f);
	decide_bridge(ctx, f, attached_for(ctx), d);
}

SEC("xdp.frags")
int xdp_bridge_in(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	if (is_for_tc(ctx))
		return XDP_PASS;
	decide_here(ctx, &f, &d);
	if (d.verdict == FEX_VERDICT_FLOOD || d.verdict == FEX_VERDICT_CONTROL ||
	    (d.verdict == FEX_VERDICT_DELIVER && !takes_xdp(link_of(d.out))))
		return XDP_PASS;
	settle(&f, &d);
	account(&d, &f);
	return d.verdict == FEX_VERDICT_DELIVER ? deliver(ctx, &f, &d) : XDP_DROP;
}

#ifdef FEX_TEST
#include "export.h"

SEC("xdp.frags")
int xdp_bridge_in_decide(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_here(ctx, &f, &d);
	settle(&f, &d);
	return export_decision(&d, &f);
}
#endif

char _license[] SEC("license") = "GPL";
