// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The controlling bridge at tc: bridge_in on each uplink and each network port. */
#include "tc_context.h"

#include "ageing.h"
#include "bridge_capture.h"
#include "settle.h"
#include "tc.h"

/* Bare: neither the channel's tag nor the port's service tag nor its own VLAN tag. */
static __always_inline int strip(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d, bool vlan)
{
	if (f->kind != FEX_KIND_NONE && pop_tag(skb, f->kind))
		return -1;
	if (d->unwrapped && bpf_skb_vlan_pop(skb))
		return -1;
	return vlan ? bpf_skb_vlan_pop(skb) : 0;
}

static __always_inline int tag_vlan(struct __sk_buff *skb, const struct fex_decision *d)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), d->tci);
}

static __always_inline int wrap(struct __sk_buff *skb, const struct fex_decision *d, __u16 service)
{
	return service ? bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), service_tci(d, service)) : 0;
}

/* To the kernel it is what its machine sent, although its octets are in a channel: it was handed over straight. */
static __always_inline bool known_by_its_content(struct __sk_buff *skb)
{
	return skb->protocol != bpf_htons(ETH_P_VNTAG) && skb->protocol != bpf_htons(ETH_P_ETAG);
}

/* A frame that turns round needs no pop and push. Super-frames that the kernel knows by their channel's tag do: those of
 * a virtual machine would be dropped by the next device, whose software segmentation does not know our ethertypes.
 */
static __always_inline bool turns_in_place(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d,
					   __u32 kind)
{
	return kind == f->kind && kind != FEX_KIND_NONE && !is_schannel(kind) && keeps_tags(f, d) &&
	       (!skb->gso_size || known_by_its_content(skb));
}

static __always_inline int rewrite_tag(struct __sk_buff *skb, const struct tag *tag)
{
	struct cursor c = octets_of(skb, 12);

	return write_tag(&c, tag);
}

static __always_inline int deliver(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d)
{
	__u32 link = link_of(d->out);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	struct tag tag;

	if (!row || !row->ifindex)
		return fail(skb, d, f);
	tag = down_tag(row->kind, d->out & FEX_CHANNEL_MASK, false, d->source, d->tci);
	if (turns_in_place(skb, f, d, row->kind)) {
		if (rewrite_tag(skb, &tag))
			return fail(skb, d, f);
	} else {
		bool keep = keeps_vlan(f, d);

		if (strip(skb, f, d, has_vlan_tag(f) && !keep) || (d->tagged && !keep && tag_vlan(skb, d)) ||
		    wrap(skb, d, d->service))
			return fail(skb, d, f);
		if (row->kind != FEX_KIND_NONE && tag.kind != FEX_KIND_NONE && push_tag(skb, &tag))
			return fail(skb, d, f);
	}
	count_out(d->out, f);
	queue_by(skb, row, d->tci);
	return send_by(row->ifindex, row->flags);
}

/* Copies into channels. Those of an uplink follow each other, so that a tag is mostly written over the one before. */
struct copies {
	struct __sk_buff *skb;
	const struct frame *frame;
	const struct fex_decision *decision;
	__u32 pushed; /* enum fex_kind of the channel's tag that is on it now */
	__u32 sent;
	__u32 scope; /* of the judged */
	bool tagged; /* with the VLAN's tag */
	bool spoiled; /* it cannot be shaped for further copies */
	__u16 zero;
};

static __always_inline void sent(struct copies *c, __u32 port, long result)
{
	c->sent++;
	if (result < 0)
		fail(c->skb, c->decision, c->frame);
	else
		count_out(port, c->frame);
}

/* Whether the port's own rules let a copy pass; else it is a copy that was dropped there. */
static __always_inline bool may_leave(struct copies *c, __u32 port)
{
	bool mistaken = is_mistaken(c->frame, port, c->tagged, 0);
	__u32 reason = mistaken ? FEX_DROP_FORGED_TAG : judge_copy(c->frame, c->decision, port);

	if (!reason)
		return true;
	c->sent++;
	drop_late(c->skb, port, reason, c->frame->segments);
	return false;
}

/* Put the port's service tag around it, and take it off again. */
static __always_inline void send_wrapped(struct copies *c, __u32 port, __u32 ifindex, __u16 service)
{
	if (wrap(c->skb, c->decision, service)) {
		sent(c, 0, -1);
		return;
	}
	sent(c, port, bpf_clone_redirect(c->skb, ifindex, 0));
	if (service && bpf_skb_vlan_pop(c->skb))
		c->spoiled = true;
}

/* A network port's copy bears no channel's tag. */
static __always_inline void send_network(struct copies *c, __u32 link, __u16 service)
{
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	__u32 ifindex = row && row->kind == FEX_KIND_NONE ? row->ifindex : 0;

	if (!ifindex)
		sent(c, 0, -1);
	else if (may_leave(c, port_of(link, 0)))
		send_wrapped(c, port_of(link, 0), ifindex, service);
}

static long send_peer(__u32 index, void *context)
{
	struct copies *c = context;
	__u32 link = 1 + index;

	if (!c->spoiled && c->decision->peers >> (link & 15) & 1)
		send_network(c, link, service_of(port_of(link, 0)));
	return 0;
}

/* What is on it now is not known: it is shaped for nobody any more. */
static __always_inline int spoil(struct copies *c)
{
	c->spoiled = true;
	return -1;
}

/* Put a channel's tag in the place of the one before. */
static __always_inline int change_tag(struct copies *c, struct tag *tag)
{
	__u32 before = c->pushed;

	if (before == tag->kind && !is_schannel(before))
		return before == FEX_KIND_NONE ? 0 : rewrite_tag(c->skb, tag);
	if (before != FEX_KIND_NONE && pop_tag(c->skb, before))
		return spoil(c);
	c->pushed = FEX_KIND_NONE;
	if (tag->kind != FEX_KIND_NONE && push_tag(c->skb, tag))
		return spoil(c);
	c->pushed = tag->kind;
	return 0;
}

/* One copy in a channel, counted on `port`. */
static __always_inline void send_tagged(struct copies *c, struct tag *tag, const struct fex_link *row, __u32 port)
{
	if (change_tag(c, tag))
		return; /* it and those behind it are one that is not sent: fail_after */
	queue_by(c->skb, row, c->decision->tci);
	sent(c, port, bpf_clone_redirect(c->skb, row->ifindex, 0));
}

static long send_uplink(__u32 index, void *context)
{
	struct copies *c = context;
	const struct fex_decision *d = c->decision;
	__u32 link = FEX_FIRST_UPLINK + index;
	struct fex_link *row;
	struct tag tag;

	if (c->spoiled || !(d->uplinks >> (index & 63) & 1))
		return 0;
	row = bpf_map_lookup_elem(&links, &link);
	if (!row || row->kind == FEX_KIND_NONE || is_schannel(row->kind))
		return 0;
	tag = down_tag(row->kind, d->list, true, link == link_of(d->in) ? d->source : 0, d->tci);
	send_tagged(c, &tag, row, port_of(link, 0));
	return 0;
}

/* Whether a vEth takes copies, and shaped as they are now. */
static __always_inline bool takes(const struct copies *c, __u32 number)
{
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);
	struct fex_policy *policy;

	if (!port || number == c->decision->in || !(port->flags & FEX_PORT_UP))
		return false;
	policy = policy_of_copy(port, c->decision);
	return policy && leaves_tagged(port, policy, c->decision->vlan) == c->tagged;
}

static long send_judged(__u32 index, void *context)
{
	struct copies *c = context;
	const struct fex_decision *d = c->decision;
	struct fex_judged_key key = {.scope = c->scope, .series = d->series, .number = index};
	__u32 *port = bpf_map_lookup_elem(&judged, &key), link;
	struct fex_link *row;
	struct tag tag;

	if (c->spoiled || !port || !takes(c, *port))
		return 0;
	link = link_of(*port);
	row = bpf_map_lookup_elem(&links, &link);
	if (!row || row->kind == FEX_KIND_NONE || row->kind == FEX_KIND_VEPA || !may_leave(c, *port))
		return 0; /* by VEPA all of the VLAN would get it */
	tag = down_tag(row->kind, *port & FEX_CHANNEL_MASK, false, link == link_of(d->in) ? d->source : 0, d->tci);
	send_tagged(c, &tag, row, *port);
	return 0;
}

/* False, which the verifier does not know. Before Linux 6.8 it walks through a loop's callback once, as the first round,
 * and cuts out what that round does not reach: what one round leaves for the next must not begin as a constant.
 */
static __always_inline bool not_yet(struct __sk_buff *skb)
{
	return skb->len >> 31;
}

/* All copies in channels; lists take the VLAN's tag. The frame is then as it was before. */
static __always_inline int send_channels(struct copies *c)
{
	c->pushed = not_yet(c->skb);
	if (c->decision->judged)
		bpf_loop(c->decision->judged, send_judged, c, 0);
	if (c->tagged)
		bpf_loop(FEX_MAX_UPLINKS, send_uplink, c, 0);
	if (c->spoiled)
		return -1;
	return c->pushed != FEX_KIND_NONE ? pop_tag(c->skb, c->pushed) : 0;
}

static __always_inline int flood(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d)
{
	struct copies c = {.skb = skb, .frame = f, .decision = d};
	__u32 number = d->in;
	struct fex_port *from = bpf_map_lookup_elem(&ports, &number);

	if (!from)
		return fail(skb, d, f);
	c.scope = scope_of(from, d);
	if (d->judged || d->peers || d->out)
		read_packet(skb, f->inner, f->type);
	if (strip(skb, f, d, has_vlan_tag(f)))
		return fail(skb, d, f);
	if (d->out && !d->tagged)
		send_network(&c, link_of(d->out), d->service);
	if (c.spoiled || (d->judged && send_channels(&c)) || tag_vlan(skb, d))
		return fail_after(skb, d, f, c.sent);
	c.tagged = true;
	if (d->out && d->tagged)
		send_network(&c, link_of(d->out), d->service);
	if (d->peers && !c.spoiled)
		bpf_loop(FEX_FIRST_UPLINK - 1, send_peer, &c, 0);
	if (c.spoiled || send_channels(&c))
		return fail_after(skb, d, f, c.sent);
	return finish(skb, d, f, c.sent); /* none: uplinks whose links have no row yet */
}

/* A frame, and what is decided about it: one a CPU, because what is called from here needs all of a stack. */
struct work {
	struct frame frame;
	struct fex_decision decision;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

/* Read a frame, decide about it, and give the decision its effects but the counters. */
static __always_inline struct work *judge(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct work *w = bpf_map_lookup_elem(&works, &zero);

	if (!w)
		return NULL;
	__builtin_memset(w, 0, sizeof(*w));
	read_frame(skb, &w->frame);
	decide_bridge(skb, &w->frame, attached_for(skb), &w->decision);
	settle(&w->frame, &w->decision);
	return w;
}

static __always_inline int act(struct __sk_buff *skb, const struct frame *f, const struct fex_decision *d)
{
	if (d->verdict == FEX_VERDICT_DROP)
		return TC_ACT_SHOT;
	if (d->verdict == FEX_VERDICT_CONTROL)
		return TC_ACT_OK;
	if (d->mark && write_dscp(skb, f, d->mark))
		return fail(skb, d, f);
	return d->verdict == FEX_VERDICT_DELIVER ? deliver(skb, f, d) : flood(skb, f, d);
}

SEC("tc")
int bridge_in(struct __sk_buff *skb)
{
	struct work *w = judge(skb);

	if (!w)
		return TC_ACT_SHOT;
	account(&w->decision, &w->frame);
	show(skb, &w->decision);
	return act(skb, &w->frame, &w->decision);
}

#ifdef FEX_TEST
#include "export.h"

SEC("tc")
int bridge_in_decide(struct __sk_buff *skb)
{
	struct work *w = judge(skb);

	return w ? export_decision(&w->decision, &w->frame) : 0;
}
#endif

char _license[] SEC("license") = "GPL";
