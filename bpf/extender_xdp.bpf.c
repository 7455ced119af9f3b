// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The port extender in XDP, beside that at tc: xdp_extender_up on functions' devices, xdp_extender_down on uplinks. */
#include "extender.h"
#include "xdp.h"

static __always_inline int send_up(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	__u32 link = link_of(d->in);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	struct tag tag;

	if (!row || !(row->flags & FEX_PORT_XDP))
		return XDP_PASS;
	account(d, f);
	tag = up_tag(row->kind, d->source);
	if (resize_head(ctx, f, 0, channel_overhead(tag.kind)) || write_tag(ctx, &tag))
		return fail(d, f);
	return send_by(ctx, d, f, row->ifindex);
}

static __always_inline int deliver(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	__u32 port = d->out;
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);

	if (!function || !(function->flags & FEX_PORT_XDP))
		return XDP_PASS;
	account(d, f);
	return resize_head(ctx, f, channel_overhead(f->kind), 0) ? fail(d, f) : send_by(ctx, d, f, function->ifindex);
}

static __always_inline void decide_from_function(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	bool whole = read_frame(ctx, f);

	decide_up(f, whole, attached_for(ctx), d);
}

static __always_inline void decide_from_uplink(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	bool whole = read_frame(ctx, f);

	decide_down(f, whole, attached_for(ctx), d);
}

SEC("xdp.frags")
int xdp_extender_up(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	if (is_for_tc(ctx))
		return XDP_PASS;
	decide_from_function(ctx, &f, &d);
	return d.verdict == FEX_VERDICT_UP ? send_up(ctx, &f, &d) : end(&d, &f);
}

SEC("xdp.frags")
int xdp_extender_down(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	if (is_for_tc(ctx))
		return XDP_PASS;
	decide_from_uplink(ctx, &f, &d);
	if (d.verdict == FEX_VERDICT_REPLICATE)
		return XDP_PASS;
	return d.verdict == FEX_VERDICT_DELIVER ? deliver(ctx, &f, &d) : end(&d, &f);
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
