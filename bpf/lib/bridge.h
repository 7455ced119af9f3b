/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The controlling bridge's decision: (link, channel) -> port, what the port may send, where the frame goes.
 * To the network the bridge is an end host: a vEth is pinned to one network port, and no frame goes from network port
 * to network port, so it cannot make a loop however it is cabled.
 * Its twin, and the specification, is src/openfex/rules/bridge.py.
 */
#ifndef FEX_BRIDGE_H
#define FEX_BRIDGE_H

#include "policy.h"
#include "service.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << FEX_CHANNEL_BITS);
	__type(key, __u32);
	__type(value, struct fex_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct fex_vlan_set);
} vlan_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, (FEX_MAX_UPLINKS * FEX_LAST_CHANNEL));
	__type(key, struct fex_mac);
	__type(value, __u32);
} veths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 16);
	__type(key, __u32);
	__type(value, __u64);
} homes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fex_station_key);
	__type(value, struct fex_station);
} stations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct fex_flood);
} floods SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct fex_judged_key);
	__type(value, __u32);
} judged SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fex_settings);
} settings SEC(".maps");

#define REFRESH_NS 1000000000ll /* an entry's age is written at most once a second */

/* Only a write finds out that a table is full: a trace, which writes nothing, is told by its loader. */
const volatile bool stations_full;
const volatile bool veths_full;

static __always_inline struct fex_settings *the_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline bool is_member(const struct fex_policy *policy, __u32 vlan)
{
	struct fex_vlan_set *set;
	__u32 row = policy->vlan_set;

	if (!(policy->flags & FEX_POLICY_TRUNK))
		return policy->vlan == vlan;
	set = bpf_map_lookup_elem(&vlan_sets, &row);
	return set && set->bits[vlan >> 6 & 63] >> (vlan & 63) & 1;
}

static __always_inline bool leaves_tagged(const struct fex_policy *policy, __u32 vlan)
{
	return policy->flags & FEX_POLICY_TRUNK && policy->vlan != vlan;
}

/* The VLAN a frame belongs to once it is past the port; 0: it may not pass. */
static __always_inline __u32 classify(const struct frame *f, const struct fex_policy *policy)
{
	__u32 vlan = f->tpid == ETH_P_8021Q ? f->tci & VLAN_VID_MASK : 0;

	if (!(policy->flags & FEX_POLICY_TRUNK) && (f->tpid == ETH_P_8021AD || f->vlan_tags > 1))
		return 0; /* a tag behind a priority tag would be the first where the frame leaves untagged */
	if (!vlan)
		return policy->vlan;
	return policy->flags & FEX_POLICY_TRUNK && is_member(policy, vlan) ? vlan : 0;
}

static __always_inline struct fex_station_key station_key(const struct fex_mac *mac, __u32 vlan)
{
	struct fex_station_key key = {.vlan = vlan};

	__builtin_memcpy(key.mac, mac->octets, 6);
	return key;
}

/* Below zero where another CPU, a tick ahead of us, has just heard the station. */
static __always_inline __s64 age_of(const struct fex_station *station, __u64 now)
{
	return (__s64)(now - station->seen_ns);
}

/* The port of the vEth that has this MAC; 0: none has. The hash is asked where somebody else is at home in the row.
 * Linux 6.1 takes no key out of a caller's memory.
 */
static __always_inline __u32 owner_of(const struct fex_mac *mac)
{
	struct fex_mac key = *mac;
	__u64 number = (bpf_be64_to_cpu(*(const __u64 *)&key) >> 16) * FEX_HOME_FACTOR << 16 >> 16;
	__u32 row = number >> 32, *veth;
	__u64 *home = bpf_map_lookup_elem(&homes, &row);

	if (home && *home >> 32 == (__u32)number && *home & FEX_HOME)
		return *home & (FEX_HOME - 1);
	veth = bpf_map_lookup_elem(&veths, &key);
	return veth ? *veth & ~FEX_LEARNT : 0;
}

/* False if there is no room for it. */
static __always_inline bool keep_station(struct fex_station_key *key, struct fex_station *fresh, bool is_known)
{
	if (!FEX_CHANGES)
		return !stations_full || is_known;
	return !bpf_map_update_elem(&stations, key, fresh, BPF_ANY);
}

/* Learn the source of a frame from the network. Its address must not be one of our vEths': see fex_settings.epoch. */
static __always_inline __u32 learn(const struct frame *f, struct fex_decision *d)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct fex_station fresh = {.seen_ns = now, .port = d->in};
	struct fex_station_key key = station_key(&f->src, d->vlan);
	struct fex_station *known = bpf_map_lookup_elem(&stations, &key);
	__u32 before = known ? known->port : 0; /* the update below gives the old entry's memory away */
	struct fex_settings *set = the_settings();

	if (!set)
		return FEX_DROP_PORT_DOWN;
	if (known && before == d->in && known->epoch == set->epoch) {
		if (FEX_CHANGES && age_of(known, now) > REFRESH_NS)
			known->seen_ns = now;
		return FEX_DROP_NONE;
	}
	if (owner_of(&f->src)) {
		if (FEX_CHANGES && known)
			bpf_map_delete_elem(&stations, &key);
		return FEX_DROP_OWN_SOURCE;
	}
	fresh.epoch = set->epoch;
	if (!keep_station(&key, &fresh, known))
		d->not_learnt = true;
	else if (!known)
		count_total(FEX_TOTAL_LEARNT, 1);
	else if (before != d->in)
		count_total(FEX_TOTAL_MOVED, 1);
	return FEX_DROP_NONE;
}

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
	d->tagged = leaves_tagged(policy, d->vlan);
	d->service = policy->service;
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
	d->tagged = leaves_tagged(policy, d->vlan);
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

/* Which port a frame from link belongs to; sets d->in, and returns the port's row or drops. */
static __always_inline struct fex_port *enter(const struct frame *f, __u32 link, struct fex_decision *d)
{
	struct fex_link *row = bpf_map_lookup_elem(&links, &link);
	__u32 channel = f->kind == FEX_KIND_VNTAG ? f->source : f->target;
	__u32 number = d->in;
	struct fex_port *port;

	if (!row || !row->ifindex) /* in an array a row of zeros is a row that is not there */
		return drop(d, FEX_DROP_NOT_IN_CHANNEL), NULL;
	if (row->kind != f->kind)
		return drop(d, row->kind == FEX_KIND_NONE ? FEX_DROP_FORGED_TAG : FEX_DROP_NOT_IN_CHANNEL), NULL;
	if (f->kind != FEX_KIND_NONE) {
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
		d->vlan = classify(f, policy);
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
	j->port = enter(f, link, d);
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
