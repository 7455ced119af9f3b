/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Whether anybody captures: all that a frame costs while nobody does. */
#ifndef FEX_CAPTURED_H
#define FEX_CAPTURED_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fex_capture);
} capture SEC(".maps");

static __always_inline bool is_captured(void)
{
	__u32 zero = 0;
	struct fex_capture *c = bpf_map_lookup_elem(&capture, &zero);

	return c && c->id;
}

#endif
