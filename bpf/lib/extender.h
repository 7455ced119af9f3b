/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The port extender's decision. It never switches: what a function sends goes up in the function's own channel, what
 * comes down goes to the channel's function or to the members of a list (wire.md 1.5, 2.4). How functions are told apart
 * without a channel's tag is vepa.h's.
 * Its twin, and the specification, is src/openfex/rules/extender.py.
 */
#ifndef FEX_EXTENDER_H
#define FEX_EXTENDER_H

#include "schannel.h"
#include "vepa.h"

/* In the default channel of S-channels: a tag that would name another one. */
static __always_inline bool is_forged(const struct frame *f, __u32 link)
{
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);

	return row && begins_with_channel(f, row->kind);
}

/* From a function. */
static __always_inline void decide_up(const struct frame *f, __u32 port, struct fex_decision *d)
{
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);
	__u32 reason = judge_function(function);

	d->in = port;
	if (!reason && !f->whole)
		reason = FEX_DROP_TRUNCATED;
	if (!reason && f->kind != FEX_KIND_NONE)
		reason = FEX_DROP_FORGED_TAG;
	if (!reason)
		reason = judge_head(f);
	if (!reason && (port & FEX_CHANNEL_MASK) == FEX_DEFAULT_CHANNEL && is_forged(f, link_of(port)))
		reason = FEX_DROP_FORGED_TAG;
	if (reason)
		return drop(d, reason);
	d->verdict = FEX_VERDICT_UP;
	d->out = port_of(link_of(port), 0);
	d->source = port & FEX_CHANNEL_MASK;
	if (function && function->flags & FEX_PORT_VEPA)
		tag_up(f, port, d);
}

static __always_inline void decide_list(const struct frame *f, __u32 link, struct fex_decision *d)
{
	__u32 key = link << 16 | f->target;

	if (!bpf_map_lookup_elem(&lists, &key))
		return drop(d, FEX_DROP_UNKNOWN_LIST);
	d->verdict = FEX_VERDICT_REPLICATE;
	d->list = f->target;
	d->source = f->kind == FEX_KIND_ETAG || f->looped ? f->source : 0;
}

/* From an uplink. */
static __always_inline void decide_down(FEX_CONTEXT *ctx, struct frame *f, __u32 link, struct fex_decision *d)
{
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	__u32 port, reason;

	d->in = port_of(link, 0);
	if (!f->whole)
		return drop(d, FEX_DROP_TRUNCATED);
	if (is_control(f)) { /* before anything is agreed about the link, too */
		d->verdict = FEX_VERDICT_CONTROL;
		return;
	}
	if (!row || row->kind == FEX_KIND_NONE)
		return drop(d, FEX_DROP_NOT_IN_CHANNEL);
	if (f->kind != row->kind) {
		if (row->kind == FEX_KIND_VEPA)
			return decide_down_by_mac(f, link, d);
		if (!is_in_schannel(ctx, f, row->kind))
			return drop(d, FEX_DROP_NOT_IN_CHANNEL);
	}
	if (f->bad)
		return drop(d, FEX_DROP_BAD_TAG);
	if (f->kind == FEX_KIND_VNTAG && !f->down)
		return drop(d, FEX_DROP_WRONG_DIRECTION);
	if (f->list)
		return decide_list(f, link, d);
	if (!f->target || f->target > FEX_LAST_CHANNEL)
		return drop(d, FEX_DROP_UNKNOWN_CHANNEL);
	port = port_of(link, f->target);
	reason = judge_function(bpf_map_lookup_elem(&functions, &port));
	if (reason)
		return drop(d, reason);
	if (f->looped && f->source == f->target)
		return drop(d, FEX_DROP_SOURCE_PRUNED);
	d->verdict = FEX_VERDICT_DELIVER;
	d->out = port;
}

#endif
