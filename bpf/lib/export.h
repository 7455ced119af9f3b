/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Test build only: the decision goes into a map, and no frame goes anywhere. */
#ifndef FEX_EXPORT_H
#define FEX_EXPORT_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fex_decision);
} exported SEC(".maps");

static __always_inline int export_decision(const struct fex_decision *d, const struct frame *f)
{
	__u32 zero = 0;
	struct fex_decision *row = bpf_map_lookup_elem(&exported, &zero);

	if (row)
		*row = *d;
	account(d, f);
	return d->verdict;
}

#endif
