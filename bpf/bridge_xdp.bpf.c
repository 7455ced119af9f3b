// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The controlling bridge in XDP. Floods are sent by bridge_in at tc, to which their frames are passed. */
#include "xdp_context.h"

#include "bridge.h"
#include "xdp.h"

static __always_inline int deliver(struct xdp_md *ctx, const struct frame *f, const struct fex_decision *d)
{
	bool had_tag = f->tpid == ETH_P_8021Q;
	__u32 remove = channel_overhead(f->kind) + (had_tag ? VLAN_LEN : 0);
	__u32 link = link_of(d->out);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	struct tag tag = {.kind = FEX_KIND_NONE};

	if (!row || !row->ifindex)
		return fail(d, f);
	if (row->kind != FEX_KIND_NONE)
		tag = down_tag(row->kind, d->out & FEX_CHANNEL_MASK, false, d->source);
	return write_head(ctx, f, remove, &tag, d->tagged, d->tci) ? fail(d, f) : send_to(d, f, port_of(link, 0));
}

static __always_inline void decide_here(struct xdp_md *ctx, struct frame *f, struct fex_decision *d)
{
	read_frame(ctx, f);
	decide_bridge(ctx, f, attached_for(ctx), d);
}

SEC("xdp")
int xdp_bridge_in(struct xdp_md *ctx)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_here(ctx, &f, &d);
	if (d.verdict == FEX_VERDICT_FLOOD)
		return XDP_PASS;
	settle(&f, &d);
	account(&d, &f);
	return d.verdict == FEX_VERDICT_DELIVER ? deliver(ctx, &f, &d) : XDP_DROP;
}

#ifdef FEX_TEST
#include "export.h"

SEC("xdp")
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
