/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* The tables of a port extender. Twin: src/openfex/rules/tables.py. */
#ifndef FEX_EXTENDER_MAPS_H
#define FEX_EXTENDER_MAPS_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << FEX_CHANNEL_BITS);
	__type(key, __u32);
	__type(value, struct fex_function);
} functions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536); /* a host with uplinks to both fabrics may need each one's whole room */
	__type(key, __u32);
	__type(value, struct fex_list);
} lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fex_owner_key);
	__type(value, __u32);
} owners SEC(".maps");

static __always_inline __u32 judge_function(const struct fex_function *function)
{
	if (!function || !(function->flags & FEX_PORT_KNOWN))
		return FEX_DROP_UNKNOWN_CHANNEL;
	if (!(function->flags & FEX_PORT_UP))
		return FEX_DROP_PORT_DOWN;
	return FEX_DROP_NONE;
}

#endif
