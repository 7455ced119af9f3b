// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The port extender in XDP. Lists are replicated by extender_down at tc, to which their frames are passed. */
#include "xdp_context.h"

#include "extender.h"
#include "xdp.h"

static __always_inline int send_up(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	__u32 link = link_of(d->in);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	struct tag tag;

	if (!row || !row->ifindex)
		return fail(d, f);
	tag = up_tag(row->kind, d->source);
	return write_head(ctx, f, 0, &tag, false, 0) ? fail(d, f) : send_to(d, f, d->out);
}

static __always_inline int deliver(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	struct tag none = {.kind = FEX_KIND_NONE};

	return write_head(ctx, f, channel_overhead(f->kind), &none, false, 0) ? fail(d, f) : send_to(d, f, d->out);
}

static __always_inline void decide_from_function(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	read_frame(ctx, f);
	decide_up(f, attached_for(ctx), d);
}

static __always_inline void decide_from_uplink(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	read_frame(ctx, f);
	decide_down(f, attached_for(ctx), d);
}

SEC("xdp")
int xdp_extender_up(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_function(ctx, &f, &d);
	account(&d, &f);
	return d.verdict == FEX_VERDICT_UP ? send_up(ctx, &f, &d) : XDP_DROP;
}

SEC("xdp")
int xdp_extender_down(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_uplink(ctx, &f, &d);
	if (d.verdict == FEX_VERDICT_REPLICATE)
		return XDP_PASS;
	account(&d, &f);
	return d.verdict == FEX_VERDICT_DELIVER ? deliver(ctx, &f, &d) : XDP_DROP;
}

#ifdef FEX_TEST
#include "export.h"

SEC("xdp")
int xdp_extender_up_decide(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_function(ctx, &f, &d);
	return export_decision(&d, &f);
}

SEC("xdp")
int xdp_extender_down_decide(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_uplink(ctx, &f, &d);
	return export_decision(&d, &f);
}
#endif

char _license[] SEC("license") = "GPL";
