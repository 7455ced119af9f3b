/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* A trace's answer goes into a map of its own, and the frame nowhere. */
#ifndef FEX_TRACE_H
#define FEX_TRACE_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fex_trace);
} traced SEC(".maps");

static __always_inline struct fex_trace *the_trace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&traced, &zero);
}

#endif
