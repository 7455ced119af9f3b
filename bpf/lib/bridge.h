/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The controlling bridge's decision: (link, channel) -> port, what the port may send, where the frame goes.
 * To the network the bridge is an end host: a vEth is pinned to one network port, and no frame goes from network port
 * to network port, so it cannot make a loop however it is cabled.
 * Its twin, and the specification, is src/openfex/rules/bridge.py.
 */
#ifndef FEX_BRIDGE_H
#define FEX_BRIDGE_H

#include "bridge_maps.h"
#include "schannel.h"
#include "service.h"

/* How a frame is judged: what of it has been read already, and the terms of the port that it came in by. */
struct judgement {
	FEX_CONTEXT *ctx;
	struct frame *frame;
	struct fex_port *port;
	struct fex_policy *policy;
	bool has_read;
};

/* Which version of a profile judges what leaves by a port: that of the way in, where both ports have the profile. */
static __always_inline __u8 version_out(const struct fex_port *from, const struct fex_port *to,
					const struct fex_profile *profile, const struct fex_decision *d)
{
	return from->profile == to->profile ? d->version : version_of(profile);
}

/* The same for a copy of a flood. */
static __always_inline __u8 version_of_copy(const struct fex_port *to, const struct fex_profile *profile,
					    const struct fex_decision *d)
{
	__u32 in = d->in;
	struct fex_port *from = bpf_map_lookup_elem(&ports, &in);

	return from ? version_out(from, to, profile, d) : version_of(profile);
}

static __always_inline struct fex_policy *policy_of_copy(const struct fex_port *to, const struct fex_decision *d)
{
	struct fex_profile *profile = profile_of(to);

	return profile ? &profile->version[version_of_copy(to, profile, d) & 1] : NULL;
}

__noinline int is_taken_for_another(const struct frame *f, __u32 number, bool tagged, __u16 service)
{
	__u32 link = link_of(number);
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);

	return f && row && is_schannel(row->kind) && !may_go_untagged(f, row->kind, tagged, service);
}

/* Whether what leaves by a vEth would be taken for a frame in another S-channel. */
static __always_inline bool is_mistaken(const struct frame *f, __u32 number, bool tagged, __u16 service)
{
	return (number & FEX_CHANNEL_MASK) == FEX_DEFAULT_CHANNEL && is_taken_for_another(f, number, tagged, service);
}

/* Out of the bridge by a port, if its terms let it; `stranger` is why not, if it is not in the VLAN. */
static __always_inline void leave_by(struct judgement *j, const struct fex_port *port, __u32 number, __u32 stranger,
				     struct fex_decision *d)
{
	struct fex_profile *profile = profile_of(port);
	struct fex_policy *policy;
	__u8 version;

	if (!profile)
		return drop(d, FEX_DROP_PORT_DOWN);
	version = version_out(j->port, port, profile, d);
	policy = &profile->version[version & 1];
	if (!is_member(policy, d->vlan))
		return drop(d, stranger);
	d->verdict = FEX_VERDICT_DELIVER;
	d->out = number;
	d->tagged = leaves_tagged(port, policy, d->vlan);
	d->service = policy->service;
	if (is_mistaken(j->frame, number, d->tagged, d->service))
		return drop_at(d, number, FEX_DROP_FORGED_TAG);
	if (!(policy->flags & FEX_POLICY_JUDGES_OUT))
		return;
	if (policy->acl[OUT])
		read_once(j->ctx, j->frame, &j->has_read);
	if (passes_acl(j->frame, policy, OUT, number, d) && policy->flags & FEX_POLICY_RATE_OUT)
		d->policy[OUT] = version;
}

static __always_inline void to_veth(struct judgement *j, __u32 number, struct fex_decision *d)
{
	const __u32 from = j->port->flags & (FEX_PORT_NETWORK | FEX_PORT_PEERING);
	struct fex_port *to = bpf_map_lookup_elem(&ports, &number);

	if (number == d->in)
		return drop(d, FEX_DROP_SAME_PORT);
	if (!to || !(to->flags & FEX_PORT_UP))
		return drop(d, FEX_DROP_PORT_DOWN);
	if (from == FEX_PORT_NETWORK && to->pin != d->in)
		return drop(d, FEX_DROP_NOT_PINNED);
	if (link_of(number) == link_of(d->in))
		d->source = d->in & FEX_CHANNEL_MASK; /* the U-turn: VN-Tag says so with l=1 */
	leave_by(j, to, number, FEX_DROP_VLAN_MISMATCH, d);
}

/* The row of a network port that is up. */
static __always_inline struct fex_port *network_port(__u32 number)
{
	const __u32 flags = FEX_PORT_UP | FEX_PORT_NETWORK;
	struct fex_port *port = number ? bpf_map_lookup_elem(&ports, &number) : NULL;

	return port && (port->flags & flags) == flags ? port : NULL;
}

static __always_inline bool is_peer(__u32 number)
{
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);

	return port && port->flags & FEX_PORT_PEERING;
}

/* To the pinned port, wherever the station was heard, unless that was at a peer. */
static __always_inline void to_network(struct judgement *j, __u32 station_port, struct fex_decision *d)
{
	__u32 number = j->port->pin;
	struct fex_port *way;

	if (j->port->flags & FEX_PORT_NETWORK)
		return drop(d, station_port == d->in ? FEX_DROP_SAME_PORT : FEX_DROP_NETWORK_TO_NETWORK);
	if (station_port != number && is_peer(station_port))
		number = station_port;
	way = network_port(number);
	if (!way)
		return drop(d, FEX_DROP_NO_RECEIVER);
	leave_by(j, way, number, FEX_DROP_NO_RECEIVER, d);
}

/* The service tag of a port towards the network; 0: none. */
static __always_inline __u16 service_of(__u32 number)
{
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);
	struct fex_policy *policy = port ? policy_of(port) : NULL;

	return policy ? policy->service : 0;
}

/* Which floods a frame from a port belongs to. */
static __always_inline __u32 scope_of(const struct fex_port *from, const struct fex_decision *d)
{
	__u32 flags = from->flags & (FEX_PORT_NETWORK | FEX_PORT_PEERING);

	return (flags == FEX_PORT_NETWORK ? link_of(d->in) : 0) << FEX_CHANNEL_BITS | d->vlan;
}

/* The pinned port's copy; it is judged when it is made. */
static __always_inline bool flood_pin(const struct fex_port *from, struct fex_decision *d)
{
	struct fex_port *pin = from->flags & FEX_PORT_NETWORK ? NULL : network_port(from->pin);
	struct fex_policy *policy = pin ? policy_of_copy(pin, d) : NULL;

	if (!policy || !is_member(policy, d->vlan))
		return false;
	d->out = from->pin;
	d->tagged = leaves_tagged(pin, policy, d->vlan);
	d->service = policy->service;
	return true;
}

/* The uplink of a sender that is on its list: it needs a copy only if somebody else is, too. Who is judged alone is on
 * no list. The terms are looked up once more: to keep them until here would take stack of every frame.
 */
static __always_inline __u64 listed_at(const struct fex_port *from, const struct fex_decision *d)
{
	const struct fex_policy *policy = policy_of_copy(from, d);

	if (from->flags & FEX_PORT_NETWORK || !policy || policy->flags & FEX_POLICY_JUDGES_OUT)
		return 0;
	return 1ull << ((link_of(d->in) - FEX_FIRST_UPLINK) & 63);
}

static __always_inline void to_all(const struct fex_port *from, struct fex_decision *d)
{
	__u64 own = listed_at(from, d);
	__u32 scope = scope_of(from, d);
	struct fex_flood *flood = bpf_map_lookup_elem(&floods, &scope);
	bool pin;

	if (flood) {
		d->uplinks = flood->any & ~(own & ~flood->many);
		d->list = flood->list;
		d->judged = flood->judged;
		d->series = flood->series;
	}
	if (!(from->flags & FEX_PORT_NETWORK)) {
		d->source = d->in & FEX_CHANNEL_MASK;
		d->peers = flood ? flood->peers : 0;
	}
	pin = flood_pin(from, d);
	if (!d->uplinks && !d->peers && !d->judged && !pin)
		return drop(d, FEX_DROP_NO_RECEIVER);
	d->verdict = FEX_VERDICT_FLOOD;
}

/* The vEth on a VEPA uplink that a frame from there is of: its source says so; 0, and dropped, if it is nobody's. */
__noinline int find_sender(const struct frame *f, __u32 link, struct fex_decision *d)
{
	__u32 owner;

	if (!f || !d)
		return 0;
	owner = is_in_vlan(f) ? owner_of(&f->src) : 0;
	if (owner && link_of(owner) == link)
		return owner;
	drop(d, is_in_vlan(f) ? FEX_DROP_UNKNOWN_CHANNEL : FEX_DROP_NOT_IN_CHANNEL);
	return 0;
}

/* Which port a frame from link belongs to; sets d->in, and returns the port's row, or drops, or
 * finds that it is for the node itself.
 */
static __always_inline struct fex_port *enter(FEX_CONTEXT *ctx, struct frame *f, __u32 link, struct fex_decision *d)
{
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	__u32 number = d->in, channel;
	struct fex_port *port;

	if (link >= FEX_FIRST_UPLINK && is_control(f)) { /* before anything is agreed about it, too */
		d->verdict = FEX_VERDICT_CONTROL;
		return NULL;
	}
	if (!row || !row->ifindex) /* in an array a row of zeros is a row that is not there */
		return drop(d, FEX_DROP_NOT_IN_CHANNEL), NULL;
	if (row->kind == FEX_KIND_VEPA) {
		number = find_sender(f, link, d);
		if (!number)
			return NULL;
	} else if (row->kind != f->kind && !is_in_schannel(ctx, f, row->kind)) {
		return drop(d, row->kind == FEX_KIND_NONE ? FEX_DROP_FORGED_TAG : FEX_DROP_NOT_IN_CHANNEL), NULL;
	} else if (row->kind != FEX_KIND_NONE) {
		channel = f->kind == FEX_KIND_VNTAG ? f->source : f->target;
		if (f->bad || f->list)
			return drop(d, FEX_DROP_BAD_TAG), NULL;
		if (f->down)
			return drop(d, FEX_DROP_WRONG_DIRECTION), NULL;
		if (!channel || channel > FEX_LAST_CHANNEL)
			return drop(d, FEX_DROP_UNKNOWN_CHANNEL), NULL;
		number = port_of(link, channel);
	}
	port = bpf_map_lookup_elem(&ports, &number);
	if (!port || !(port->flags & FEX_PORT_KNOWN))
		return drop(d, FEX_DROP_UNKNOWN_CHANNEL), NULL;
	d->in = number;
	if (!(port->flags & FEX_PORT_UP))
		return drop(d, FEX_DROP_PORT_DOWN), NULL;
	return port;
}

/* A source that is not the vEth's first: it is written for it, or has been learnt, or may be. */
static __always_inline __u32 judge_other_source(const struct frame *f, const struct fex_policy *policy,
						struct fex_decision *d)
{
	__u32 owner = owner_of(&f->src);
	struct fex_memory *memory;

	if (owner)
		return owner == d->in ? FEX_DROP_NONE : FEX_DROP_SPOOFED_SOURCE;
	if (!policy->learn || is_group(&f->src))
		return FEX_DROP_SPOOFED_SOURCE;
	memory = memory_of(d->in);
	if (!memory || memory->macs >= policy->learn)
		return FEX_DROP_TOO_MANY_MACS;
	d->learns = true;
	return FEX_DROP_NONE;
}

static __always_inline __u32 judge_source(const struct judgement *j, struct fex_decision *d)
{
	const struct frame *f = j->frame;
	bool nobody = !*(const __u64 *)&f->src; /* and a vEth whose MAC is not set yet has nobody's */

	if (j->port->flags & FEX_PORT_NETWORK)
		return is_group(&f->src) || nobody ? FEX_DROP_BAD_SOURCE : FEX_DROP_NONE;
	if (same_mac(&f->src, &j->port->mac) && !nobody)
		return FEX_DROP_NONE;
	if (nobody || !(j->policy->flags & FEX_POLICY_MORE_MACS))
		return FEX_DROP_SPOOFED_SOURCE;
	return judge_other_source(f, j->policy, d);
}

/* A station that sends to itself has just been learnt where it is; but not by a trace. */
static __always_inline bool is_itself(const struct judgement *j, const struct fex_decision *d)
{
	const struct frame *f = j->frame;

	return !FEX_CHANGES && j->port->flags & FEX_PORT_NETWORK && !d->not_learnt && same_mac(&f->dst, &f->src);
}

static __always_inline void find_way(struct judgement *j, struct fex_decision *d)
{
	const struct frame *f = j->frame;
	struct fex_station_key key;
	struct fex_settings *set;
	struct fex_station *station;
	__u32 owner;

	if (is_group(&f->dst))
		return to_all(j->port, d);
	owner = owner_of(&f->dst);
	if (owner)
		return to_veth(j, owner, d);
	if (is_itself(j, d))
		return to_network(j, d->in, d);
	key = station_key(&f->dst, d->vlan);
	station = bpf_map_lookup_elem(&stations, &key);
	set = the_settings();
	if (station && set && age_of(station, bpf_ktime_get_coarse_ns()) < (__s64)set->ageing_ns)
		return to_network(j, station->port, d);
	to_all(j->port, d);
}

/* What the port that it came in by says of a frame; false if it has dropped it. */
static __always_inline bool passes_port(struct judgement *j, struct fex_decision *d)
{
	const struct frame *f = j->frame;
	struct fex_policy *policy = j->policy;
	__u32 reason = judge_head(f);

	if (!reason)
		reason = judge_source(j, d);
	if (reason)
		return drop(d, reason), false;
	if (!policy->service || d->unwrapped)
		d->vlan = classify(f, policy, j->port->flags & FEX_PORT_VEPA);
	if (!d->vlan)
		return drop(d, FEX_DROP_VLAN_NOT_ALLOWED), false;
	if (policy->flags & FEX_POLICY_PRIORITY)
		decide_priority(j->ctx, f, policy, d);
	else if (has_priority(f, d))
		d->tci = priority_bits(f->tci);
	d->tci |= d->vlan;
	if (policy->flags & FEX_POLICY_GUARD || policy->acl[IN])
		read_once(j->ctx, f, &j->has_read);
	if (policy->flags & FEX_POLICY_GUARD) {
		reason = judge_guard(j->ctx, f, d->in);
		if (reason)
			return drop(d, reason), false;
	}
	return passes_acl(f, policy, IN, d->in, d);
}

static __always_inline void decide(struct judgement *j, __u32 link, struct fex_decision *d)
{
	const struct frame *f = j->frame;
	struct fex_profile *profile;
	__u32 reason;
	__u8 version;

	d->in = port_of(link, 0);
	if (!f->whole)
		return drop(d, FEX_DROP_TRUNCATED);
	j->port = enter(j->ctx, j->frame, link, d);
	if (!j->port)
		return;
	profile = profile_of(j->port);
	if (!profile)
		return drop(d, FEX_DROP_PORT_DOWN);
	version = version_of(profile);
	d->version = version;
	j->policy = &profile->version[version & 1];
	if (j->policy->service)
		unwrap(j->ctx, j->frame, j->policy->service, d);
	if (!passes_port(j, d))
		return;
	if (j->policy->flags & FEX_POLICY_RATE_IN)
		d->policy[IN] = version;
	if (j->port->flags & FEX_PORT_NETWORK) {
		reason = learn(f, d);
		if (reason)
			return drop(d, reason);
	}
	find_way(j, d);
}

/* Its own function, so that the verifier walks each way through it once, and not what follows once for each of them. */
__noinline int decide_bridge(FEX_CONTEXT *ctx, struct frame *f, __u32 link, struct fex_decision *d)
{
	struct judgement j = {.ctx = ctx, .frame = f};

	if (f && d)
		decide(&j, link, d);
	return 0;
}

#endif
