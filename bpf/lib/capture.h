/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Capturing one port. While nobody does, a frame costs one look at `capture`. A process that captures puts a ring a CPU
 * into `rings`; the kernel takes them out when the process ends, however it ends. The first program that then finds no
 * ring ends the capture, so that frames cost what they did before.
 */
#ifndef FEX_CAPTURE_H
#define FEX_CAPTURE_H

#include <linux/errno.h>
#include <linux/pkt_cls.h>

#include "captured.h"
#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

#define ASK_NS 1000000000ull

/* The decision in a few words, because a struct whose address is given away must lie in memory for every frame. */
struct verdict {
	__u32 in;
	__u32 out; /* FLOOD: link of `out`, and peers << 16; REPLICATE: source, and list << 16 */
	__u64 uplinks;
	__u16 tci;
	__u8 verdict;
	__u8 reason;
	__u8 mark;
	bool tagged;
	bool late;
	bool unwrapped;
};

#define WORD_TAGGED (1 << 16)
#define WORD_LATE (1 << 17)
#define WORD_UNWRAPPED (1 << 18)
#define WORD_MARK 24

/* True if the captured port, which is not `in`, gets the frame or a copy; then `leaves` says with which VLAN tag. */
static __always_inline bool goes_out(const struct verdict *v, __u32 port, __u8 *leaves);

/* The service tag of a port towards the network; 0: none. */
static __always_inline __u16 service_at(__u32 port);

static __always_inline __u32 seen_as(const struct verdict *v, __u32 port, __u8 *leaves)
{
	__u32 seen = v->in == port && v->reason ? FEX_SEEN_DROPPED : 0;

	if (v->late)
		return seen;
	if (v->in == port)
		return seen | FEX_SEEN_IN;
	return v->verdict != FEX_VERDICT_DROP && goes_out(v, port, leaves) ? FEX_SEEN_OUT : 0;
}

static __always_inline void hand_over(struct __sk_buff *skb, struct fex_capture *c, struct fex_record *record)
{
	__u64 flags = BPF_F_CURRENT_CPU | (__u64)record->taken << 32; /* BPF_F_CTXLEN_MASK: these octets of the frame */
	__u32 id = c->id;
	long result = bpf_perf_event_output(skb, &rings, flags, record, sizeof(*record));

	if (result == -ENOENT)
		__sync_val_compare_and_swap(&c->id, id, 0);
	else if (result)
		__sync_fetch_and_add(&c->lost, 1);
}

/* A ring that nothing is put into would not be missed. */
static __always_inline void ask(struct __sk_buff *skb, struct fex_capture *c, struct fex_record *record)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	if (now - c->asked_ns < ASK_NS)
		return;
	c->asked_ns = now;
	hand_over(skb, c, record);
}

__noinline int take(struct __sk_buff *skb, __u32 in, __u32 out, __u64 words, __u64 uplinks)
{
	const struct verdict v = {
		.in = in,
		.out = out,
		.uplinks = uplinks,
		.tci = words >> 32,
		.verdict = words,
		.reason = words >> 8,
		.mark = words >> WORD_MARK,
		.tagged = words & WORD_TAGGED,
		.late = words & WORD_LATE,
		.unwrapped = words & WORD_UNWRAPPED,
	};
	struct fex_record record = {.in = in, .octets = skb->len, .tci = v.tci, .late = v.late, .mark = v.mark};
	__u32 zero = 0;
	struct fex_capture *c = bpf_map_lookup_elem(&capture, &zero);

	if (!c)
		return 0;
	record.seen = seen_as(&v, c->port, &record.leaves) & c->kinds;
	if (!record.seen) {
		ask(skb, c, &record);
		return 0;
	}
	record.time_ns = bpf_ktime_get_ns();
	record.verdict = v.verdict;
	record.reason = v.reason;
	if (v.verdict == FEX_VERDICT_UP || v.verdict == FEX_VERDICT_DELIVER)
		record.out = out;
	record.service = service_at(c->port);
	record.unwrapped = v.unwrapped;
	record.taken = record.octets < c->snap ? record.octets : c->snap;
	if (skb->vlan_present) {
		record.vlan_tpid = bpf_ntohs(skb->vlan_proto);
		record.vlan_tci = skb->vlan_tci;
	}
	hand_over(skb, c, &record);
	return 0;
}

/* A frame and its verdict, before anything is done to it. */
static __always_inline void show(struct __sk_buff *skb, const struct fex_decision *d)
{
	bool elsewhere = d->verdict == FEX_VERDICT_DROP && d->at != d->in;
	__u32 reason = elsewhere ? FEX_DROP_NONE : d->reason;
	__u64 words = d->verdict | reason << 8 | (d->tagged ? WORD_TAGGED : 0) | (d->unwrapped ? WORD_UNWRAPPED : 0) |
		      d->mark << WORD_MARK | (__u64)d->tci << 32;
	__u32 out = d->out;

	if (!is_captured())
		return;
	if (elsewhere)
		take(skb, d->at, 0, d->reason << 8 | WORD_LATE, 0);
	if (d->verdict == FEX_VERDICT_FLOOD)
		out = link_of(d->out) | (__u32)d->peers << 16;
	else if (d->verdict == FEX_VERDICT_REPLICATE)
		out = d->source | d->list << 16;
	take(skb, d->in, out, words, d->uplinks);
}

/* Count a drop after the verdict, and show it. */
__noinline int drop_late(struct __sk_buff *skb, __u32 in, __u32 reason, __u32 frames)
{
	count_drop(in, reason, frames);
	if (is_captured())
		take(skb, in, 0, reason << 8 | WORD_LATE, 0);
	return 0;
}

#endif
