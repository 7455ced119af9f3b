/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The tables that both roles have. Sizes that depend on the node (rows a port) are set by the loader; what is written
 * here is the least. Nothing is locked on the frames' path: each CPU counts in rows of its own.
 */
#ifndef FEX_MAPS_H
#define FEX_MAPS_H

#include "frame.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FEX_MAX_LINKS);
	__type(key, __u32);
	__type(value, struct fex_link);
} links SEC(".maps");

/* Rows a CPU. The loader makes room for as many CPUs as there can be. */
const volatile __u32 counter_rows = 1 << FEX_CHANNEL_BITS;

/* The kernel's own per-CPU array takes memory row by row, which is longer than all else that loading takes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << FEX_CHANNEL_BITS);
	__type(key, __u32);
	__type(value, struct fex_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fex_drop_key);
	__type(value, __u64);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FEX_TOTAL_ROWS);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

/* Which bit it is, if it is one. Counted without a branch: the verifier walks each way that there is. */
static __always_inline __u32 place_of(__u64 bit)
{
	__u64 below = bit - 1;

	below -= below >> 1 & 0x5555555555555555;
	below = (below & 0x3333333333333333) + (below >> 2 & 0x3333333333333333);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return below * 0x0101010101010101 >> 56;
}

static __always_inline void count_total(__u32 row, __u64 n)
{
	__u64 *total = FEX_CHANGES ? bpf_map_lookup_elem(&totals, &row) : NULL;

	if (total)
		*total += n;
}

static __always_inline struct fex_counters *counters_of(__u32 port)
{
	__u32 row = bpf_get_smp_processor_id() * counter_rows + port;

	return port < counter_rows ? bpf_map_lookup_elem(&counters, &row) : NULL;
}

static __always_inline void count_in(__u32 port, const struct frame *f)
{
	struct fex_counters *row = counters_of(port);

	if (row) {
		row->in_frames[cast_of(&f->dst)] += f->segments;
		row->in_octets += f->octets;
	}
}

static __always_inline void count_out(__u32 port, const struct frame *f)
{
	struct fex_counters *row = counters_of(port);

	if (row) {
		row->out_frames[cast_of(&f->dst)] += f->segments;
		row->out_octets += f->octets;
	}
}

/* The slow path: its own function, so that the fast one stays small. */
__noinline int count_drop(__u32 port, __u32 reason, __u32 frames)
{
	struct fex_drop_key key = {.port = port, .reason = reason};
	__u64 *count = bpf_map_lookup_elem(&drops, &key);
	__u64 first = frames;

	if (count) {
		*count += frames;
		return 0;
	}
	if (!bpf_map_update_elem(&drops, &key, &first, BPF_NOEXIST))
		return 0;
	count = bpf_map_lookup_elem(&drops, &key); /* another CPU made it just now */
	if (!count) {
		key.port = FEX_ANY_PORT; /* full: rows that the loader made */
		count = bpf_map_lookup_elem(&drops, &key);
	}
	if (count)
		*count += frames;
	return 0;
}

/* What every frame costs in counters. What leaves is counted as it is sent. */
static __always_inline void account(const struct fex_decision *d, const struct frame *f)
{
	if (d->verdict == FEX_VERDICT_CONTROL) {
		count_total(FEX_TOTAL_CONTROL, f->segments);
		return;
	}
	count_in(d->in, f);
	if (d->not_learnt)
		count_total(FEX_TOTAL_NOT_LEARNT, 1);
	if (d->verdict == FEX_VERDICT_DROP)
		count_drop(d->at, d->reason, f->segments);
}

static __always_inline __u32 port_of(__u32 link, __u32 channel)
{
	return link << FEX_CHANNEL_BITS | channel;
}

static __always_inline __u32 link_of(__u32 port)
{
	return port >> FEX_CHANNEL_BITS;
}

static __always_inline void drop_at(struct fex_decision *d, __u32 port, __u32 reason)
{
	d->verdict = FEX_VERDICT_DROP;
	d->reason = reason;
	d->at = port;
}

static __always_inline void drop(struct fex_decision *d, __u32 reason)
{
	drop_at(d, d->in, reason);
}

#endif
