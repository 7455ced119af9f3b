/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Rates: what has passed is paid for in time (GCRA). A frame passes while its port owes no more than the burst, so a
 * super-frame may pass on debt. Its twin, and the specification, is spend() in src/openfex/rules/policy.py.
 */
#ifndef FEX_RATE_H
#define FEX_RATE_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << FEX_CHANNEL_BITS);
	__type(key, __u32);
	__type(value, struct fex_memory);
} memories SEC(".maps");

#define TRIES 4

/* The clock of rates. A test build's is set by the test: 0 is the kernel's. */
#ifdef FEX_TEST
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} test_clock SEC(".maps");

static __always_inline __u64 now_ns(void)
{
	__u32 zero = 0;
	__u64 *set = bpf_map_lookup_elem(&test_clock, &zero);

	return set && *set ? *set : bpf_ktime_get_ns();
}
#else
static __always_inline __u64 now_ns(void)
{
	return bpf_ktime_get_ns();
}
#endif

static __always_inline bool owes_too_much(const struct fex_price *price, __u64 due, __u64 now)
{
	return price->cost && (__s64)(due - now) > (__s64)price->burst_ns;
}

/* Other CPUs pay into the same word. Who never gets his turn adds to what they have just written, which is no less. */
static __always_inline void pay(const struct fex_price *price, __u64 *due, __u64 units, __u64 now)
{
	__u64 cost = units * price->cost >> 16;

	if (!FEX_CHANGES || !price->cost)
		return;
#pragma unroll
	for (int i = 0; i < TRIES; i++) {
		__u64 old = *(volatile __u64 *)due;
		__u64 start = (__s64)(old - now) > 0 ? old : now;

		if (__sync_val_compare_and_swap(due, old, start + cost) == old)
			return;
	}
	__sync_fetch_and_add(due, cost);
}

#endif
