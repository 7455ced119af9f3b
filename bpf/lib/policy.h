/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What a port's profile asks of a frame: docs/design/policy.md. Deciding has no effect but on the decision; settle() has
 * all of them, so that XDP can decide and then pass a frame on, and a trace can decide about a frame that never was.
 * Its twin, and the specification, is src/openfex/rules/policy.py.
 */
#ifndef FEX_POLICY_H
#define FEX_POLICY_H

#include "acl.h"
#include "guard.h"
#include "rate.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct fex_profile);
} profiles SEC(".maps");

enum direction {
	IN = 0,
	OUT = 1,
};

static __always_inline struct fex_profile *profile_of(const struct fex_port *port)
{
	__u32 row = port->profile;

	return bpf_map_lookup_elem(&profiles, &row);
}

/* Which version judges, as it stands in a decision. */
static __always_inline __u8 version_of(const struct fex_profile *profile)
{
	return 2 | (profile->current & 1);
}

/* The terms of a port as they are now. */
static __always_inline struct fex_policy *policy_of(const struct fex_port *port)
{
	struct fex_profile *profile = profile_of(port);

	return profile ? &profile->version[profile->current & 1] : NULL;
}

/* Read what stands behind the head, once a frame. */
static __always_inline void read_once(FEX_CONTEXT *ctx, const struct frame *f, bool *has_read)
{
	if (!*has_read)
		read_packet(ctx, f->inner, f->type);
	*has_read = true;
}

/* What an ACL has said, as a drop reason. */
static __always_inline __u32 reason_of(int hit, enum direction way)
{
	if (hit < 0)
		return FEX_DROP_UNREADABLE_HEADER;
	if (!(hit & DENIED))
		return FEX_DROP_NONE;
	return way == OUT ? FEX_DROP_ACL_OUT : FEX_DROP_ACL_IN;
}

/* The ACL of a port: true if the frame passes. */
static __always_inline bool passes_acl(const struct frame *f, const struct fex_policy *policy, enum direction way,
				       __u32 port, struct fex_decision *d)
{
	int hit = policy->acl[way] ? judge_acl(f, policy->acl[way], d->vlan) : 0;
	__u32 reason = reason_of(hit, way);

	if (hit > 0)
		d->hit[way] = hit & ~DENIED;
	if (reason)
		drop_at(d, port, reason);
	return !reason;
}

static __always_inline struct fex_memory *memory_of(__u32 port)
{
	return bpf_map_lookup_elem(&memories, &port);
}

#endif
