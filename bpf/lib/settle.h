/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What a decision does, but for its counters: a source is learnt, rates are paid, hits are counted. A decision itself
 * changes nothing of that. Its twin, and the specification, is settle() in src/openfex/rules/policy.py.
 */
#ifndef FEX_SETTLE_H
#define FEX_SETTLE_H

#include "bridge.h"

/* The policy that a decision was made by. */
static __always_inline struct fex_policy *decided_by(__u32 number, __u8 version)
{
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);
	struct fex_profile *profile = port ? profile_of(port) : NULL;

	return profile ? &profile->version[version & 1] : NULL;
}

/* Pay for a frame at a port, by a version of its profile; false if it owes too much already, and then nothing is paid. */
__noinline int spend(const struct frame *f, __u32 number, __u8 version, __u32 way)
{
	struct fex_policy *policy = decided_by(number, version);
	struct fex_memory *memory = memory_of(number);
	__u64 now;

	if (!f || !policy || !memory || way > OUT)
		return false;
	now = now_ns();
	if (owes_too_much(&policy->octets[way], memory->octets_due[way], now) ||
	    owes_too_much(&policy->frames[way], memory->frames_due[way], now))
		return false;
	pay(&policy->octets[way], &memory->octets_due[way], f->octets, now);
	pay(&policy->frames[way], &memory->frames_due[way], f->segments, now);
	return true;
}

/* The source becomes one of the vEth's, unless the table is full. Another CPU may have been faster. */
static __always_inline bool learn_source(const struct frame *f, __u32 port)
{
	struct fex_memory *memory = memory_of(port);
	struct fex_settings *set = the_settings();
	struct fex_mac mac = f->src;
	__u32 value = port | FEX_LEARNT;

	if (!memory || !set)
		return false;
	if (!FEX_CHANGES)
		return !veths_full;
	if (bpf_map_update_elem(&veths, &mac, &value, BPF_NOEXIST))
		return owner_of(&mac);
	__sync_fetch_and_add(&memory->macs, 1);
	__sync_fetch_and_add(&set->epoch, 1);
	return true;
}

__noinline int settle_all(const struct frame *f, struct fex_decision *d)
{
	if (!f || !d)
		return 0;
	if (d->hit[IN])
		count_hit(d->hit[IN] - 1);
	if (d->hit[OUT])
		count_hit(d->hit[OUT] - 1);
	if (d->verdict == FEX_VERDICT_DROP)
		return 0;
	if (d->learns && !learn_source(f, d->in))
		drop(d, FEX_DROP_TOO_MANY_MACS);
	else if (d->policy[IN] && !spend(f, d->in, d->policy[IN], IN))
		drop(d, FEX_DROP_RATE_IN);
	else if (d->verdict == FEX_VERDICT_DELIVER && d->policy[OUT] && !spend(f, d->out, d->policy[OUT], OUT))
		drop_at(d, d->out, FEX_DROP_RATE_OUT);
	return 0;
}

/* The effects of a decision but its counters. A port that asks for nothing of all that pays one comparison. */
static __always_inline void settle(const struct frame *f, struct fex_decision *d)
{
	if (d->hit[IN] | d->hit[OUT] | d->learns | d->policy[IN] | d->policy[OUT])
		settle_all(f, d);
}

/* What the rules of a port say of a copy that leaves by it: a drop reason, and what its ACL has said. The packet has been
 * read if any port asks for it.
 */
static __always_inline __u32 judge_leaving(const struct frame *f, __u32 number, __u8 version, __u32 vlan, int *hit)
{
	struct fex_policy *policy = decided_by(number, version);
	__u32 reason;

	if (!policy)
		return FEX_DROP_PORT_DOWN;
	if (!(policy->flags & FEX_POLICY_JUDGES_OUT))
		return FEX_DROP_NONE;
	*hit = policy->acl[OUT] ? judge_acl(f, policy->acl[OUT], vlan) : 0;
	reason = reason_of(*hit, OUT);
	if (!reason && policy->flags & FEX_POLICY_RATE_OUT && !spend(f, number, version, OUT))
		reason = FEX_DROP_RATE_OUT;
	return reason;
}

/* The same when the copy is made: what is dropped is counted there. */
__noinline int judge_copy(const struct frame *f, const struct fex_decision *d, __u32 number)
{
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);
	struct fex_profile *profile = port ? profile_of(port) : NULL;
	__u32 reason;
	int hit = 0;

	if (!f || !d || !profile)
		return FEX_DROP_PORT_DOWN;
	reason = judge_leaving(f, number, version_of_copy(port, profile, d), d->vlan, &hit);
	if (hit > 0)
		count_hit((hit & ~DENIED) - 1);
	return reason;
}

#endif
