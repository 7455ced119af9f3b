/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The tables of a controlling bridge, and what is looked up in them: who is a member of a VLAN, whose a MAC is, which
 * stations the network has. Twins: src/openfex/rules/tables.py, and learn() in src/openfex/rules/bridge.py.
 */
#ifndef FEX_BRIDGE_MAPS_H
#define FEX_BRIDGE_MAPS_H

#include "policy.h"

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

static __always_inline bool leaves_tagged(const struct fex_port *port, const struct fex_policy *policy, __u32 vlan)
{
	return port->flags & FEX_PORT_VEPA || (policy->flags & FEX_POLICY_TRUNK && policy->vlan != vlan);
}

/* The VLAN a frame belongs to once it is past the port; 0: it may not pass. From a VEPA uplink an access VLAN has its
 * tag, too.
 */
static __always_inline __u32 classify(const struct frame *f, const struct fex_policy *policy, bool vepa)
{
	__u32 vlan = tag_vid(f);

	if (!(policy->flags & FEX_POLICY_TRUNK) && (f->tpid == ETH_P_8021AD || f->vlan_tags > 1))
		return 0; /* a tag behind a priority tag would be the first where the frame leaves untagged */
	if (!vlan)
		return vepa ? 0 : policy->vlan;
	return (vepa || policy->flags & FEX_POLICY_TRUNK) && is_member(policy, vlan) ? vlan : 0;
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

#endif
