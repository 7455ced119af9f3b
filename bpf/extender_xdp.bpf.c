// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The port extender in XDP, beside that at tc: xdp_extender_up on functions' devices, xdp_extender_down on uplinks. */
#include "xdp_context.h"

#include "extender.h"
#include "xdp.h"

static __always_inline int send_up(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	__u32 link = link_of(d->in);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	__u32 vlan;
	struct tag tag;

	if (!row)
		return fail(d, f);
	tag = up_tag(row->kind, d->source, d->vlan ? d->tci : f->tci);
	vlan = row->kind == FEX_KIND_VEPA && has_vlan_tag(f) ? VLAN_LEN : 0; /* its own gives way */
	if (resize_head(ctx, f, vlan, channel_overhead(tag.kind)) || write_tag(ctx, &tag))
		return fail(d, f);
	return send_by(ctx, d, f, row->ifindex);
}

static __always_inline bool function_takes_xdp(__u32 port)
{
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);

	return function && function->flags & FEX_PORT_XDP;
}

static __always_inline int deliver(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	__u32 port = d->out;
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);
	__u32 vlan = leaves_vlan(d) ? VLAN_LEN : 0;

	if (!function || resize_head(ctx, f, channel_overhead(f->kind) + vlan, 0))
		return fail(d, f);
	return send_by(ctx, d, f, function->ifindex);
}

static __always_inline void decide_from_function(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	read_frame(ctx, f);
	decide_up(f, attached_for(ctx), d);
}

static __always_inline void decide_from_uplink(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	read_frame(ctx, f);
	decide_down(ctx, f, attached_for(ctx), d);
}

SEC("xdp.frags")
int xdp_extender_up(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	if (is_for_tc(ctx))
		return XDP_PASS;
	decide_from_function(ctx, &f, &d);
	if (d.verdict == FEX_VERDICT_UP && !takes_xdp(link_of(d.out)))
		return XDP_PASS;
	account(&d, &f);
	return d.verdict == FEX_VERDICT_UP ? send_up(ctx, &f, &d) : XDP_DROP;
}

SEC("xdp.frags")
int xdp_extender_down(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	if (is_for_tc(ctx))
		return XDP_PASS;
	decide_from_uplink(ctx, &f, &d);
	if (d.verdict == FEX_VERDICT_REPLICATE || d.verdict == FEX_VERDICT_CONTROL ||
	    (d.verdict == FEX_VERDICT_DELIVER && !function_takes_xdp(d.out)))
		return XDP_PASS;
	account(&d, &f);
	return d.verdict == FEX_VERDICT_DELIVER ? deliver(ctx, &f, &d) : XDP_DROP;
}

#ifdef FEX_TEST
#include "export.h"

SEC("xdp.frags")
int xdp_extender_up_decide(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_function(ctx, &f, &d);
	return export_decision(&d, &f);
}

SEC("xdp.frags")
int xdp_extender_down_decide(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_uplink(ctx, &f, &d);
	return export_decision(&d, &f);
}
#endif

char _license[] SEC("license") = "GPL";
