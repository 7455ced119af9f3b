// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The port extender at tc: extender_up on each function's device, extender_down on each uplink. */
#include "tc_context.h"

#include "extender_capture.h"
#include "tc.h"

/* Sending to the members of a list: state of the loop over its 64 words. */
struct copies {
	struct __sk_buff *skb;
	const struct frame *frame;
	const struct fex_decision *decision;
	__u64 word; /* members that are left in this word */
	__u32 row;
	__u32 sent;
	bool tagged;
	__u8 zero[7];
};

static __always_inline __u64 members(const struct copies *c, __u32 row)
{
	const struct fex_decision *d = c->decision;
	__u32 key = link_of(d->in) << 16 | d->list;
	struct fex_list *list = bpf_map_lookup_elem(&lists, &key);
	__u64 word;

	if (!list || row > 63)
		return 0;
	word = c->tagged ? list->tagged[row] : list->untagged[row];
	if (d->source >> 6 == row)
		word &= ~(1ull << (d->source & 63)); /* never back to where it came from */
	return word;
}

/* One member of the current word, the lowest first. */
static long send_copy(__u32 index, void *context)
{
	struct copies *c = context;
	__u32 port;
	__u64 low = c->word & -c->word;
	struct fex_function *function;

	if (!low)
		return 1;
	c->word &= ~low;
	port = port_of(link_of(c->decision->in), c->row << 6 | place_of(low));
	function = bpf_map_lookup_elem(&functions, &port);
	if (!function || !(function->flags & FEX_PORT_UP))
		return 0;
	c->sent++;
	if (bpf_clone_redirect(c->skb, function->ifindex, 0) < 0)
		count_drop(c->decision->in, FEX_DROP_NOT_SENT, c->frame->segments);
	else
		count_out(port, c->frame);
	return 0;
}

static long send_word(__u32 row, void *context)
{
	struct copies *c = context;

	c->row = row;
	c->word = members(c, row);
	if (c->word)
		bpf_loop(64, send_copy, c, 0);
	return 0;
}

/* First the members that take the VLAN tag, then those that do not. */
static __always_inline int replicate(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d)
{
	struct copies c = {.skb = skb, .frame = f, .decision = d, .tagged = true};

	if (f->kind != FEX_KIND_NONE && pop_tag(skb, f->kind))
		return fail(skb, d, f);
	bpf_loop(64, send_word, &c, 0);
	c.tagged = false;
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return fail_after(skb, d, f, c.sent);
	bpf_loop(64, send_word, &c, 0);
	return finish(skb, d, f, c.sent);
}

static __always_inline int deliver(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d)
{
	__u32 port = d->out;
	struct fex_function *function = bpf_map_lookup_elem(&functions, &port);

	if (!function || (f->kind != FEX_KIND_NONE && pop_tag(skb, f->kind)) ||
	    (leaves_vlan(d) && bpf_skb_vlan_pop(skb)))
		return fail(skb, d, f);
	count_out(port, f);
	if (function->flags & FEX_PORT_DIRECT)
		bpf_skb_change_type(skb, PACKET_HOST); /* it came in as somebody else's */
	return send_by(function->ifindex, function->flags);
}

static __always_inline int send_up(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d)
{
	__u32 link = link_of(d->in);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	struct tag tag;

	if (!row || !row->ifindex) /* in an array a row of zeros is a row that is not there */
		return fail(skb, d, f);
	tag = up_tag(row->kind, d->source, d->vlan ? d->tci : f->tci);
	if (tag.kind != FEX_KIND_NONE && push_tag(skb, &tag))
		return fail(skb, d, f);
	count_out(d->out, f);
	queue_by(skb, row, f->tci);
	return send_by(row->ifindex, row->flags);
}

static __always_inline void decide_from_function(struct __sk_buff *skb, struct frame *f, struct fex_decision *d)
{
	read_frame(skb, f);
	decide_up(f, attached_for(skb), d);
}

static __always_inline void decide_from_uplink(struct __sk_buff *skb, struct frame *f, struct fex_decision *d)
{
	read_frame(skb, f);
	decide_down(skb, f, attached_for(skb), d);
}

SEC("tc")
int extender_up(struct __sk_buff *skb)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_function(skb, &f, &d);
	account(&d, &f);
	show(skb, &d);
	return d.verdict == FEX_VERDICT_UP ? send_up(skb, &f, &d) : TC_ACT_SHOT;
}

SEC("tc")
int extender_down(struct __sk_buff *skb)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_uplink(skb, &f, &d);
	account(&d, &f);
	show(skb, &d);
	if (d.verdict == FEX_VERDICT_DELIVER)
		return deliver(skb, &f, &d);
	if (d.verdict == FEX_VERDICT_CONTROL)
		return TC_ACT_OK;
	return d.verdict == FEX_VERDICT_REPLICATE ? replicate(skb, &f, &d) : TC_ACT_SHOT;
}

#ifdef FEX_TEST
#include "export.h"

SEC("tc")
int extender_up_decide(struct __sk_buff *skb)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_function(skb, &f, &d);
	return export_decision(&d, &f);
}

SEC("tc")
int extender_down_decide(struct __sk_buff *skb)
{
	struct fex_decision d = {};
	struct frame f = {};

	decide_from_uplink(skb, &f, &d);
	return export_decision(&d, &f);
}
#endif

char _license[] SEC("license") = "GPL";
