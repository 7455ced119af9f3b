/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The controlling bridge's decision: (link, channel) -> port, what the port may send, where the frame goes.
 * To the network the bridge is an end host: a vEth is pinned to one network port, and no frame goes from network port
 * to network port, so it cannot make a loop however it is cabled.
 * Its twin, and the specification, is src/openfex/rules/bridge.py.
 */
#ifndef FEX_BRIDGE_H
#define FEX_BRIDGE_H

#include "maps.h"

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
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fex_settings);
} settings SEC(".maps");

#define REFRESH_NS 1000000000ll /* an entry's age is written at most once a second */

static __always_inline struct fex_settings *the_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline bool is_member(const struct fex_port *port, __u32 vlan)
{
	struct fex_vlan_set *set;
	__u32 row = port->vlan_set;

	if (!(port->flags & FEX_PORT_TRUNK))
		return port->vlan == vlan;
	set = bpf_map_lookup_elem(&vlan_sets, &row);
	return set && set->bits[vlan >> 6 & 63] >> (vlan & 63) & 1;
}

/* The VLAN a frame belongs to once it is past the port; 0: it may not pass. */
static __always_inline __u32 classify(const struct frame *f, const struct fex_port *port)
{
	__u32 vlan = f->tpid == ETH_P_8021Q ? f->tci & VLAN_VID_MASK : 0;

	if (f->tpid == ETH_P_8021AD && !(port->flags & FEX_PORT_TRUNK))
		return 0;
	if (!vlan)
		return port->vlan;
	return port->flags & FEX_PORT_TRUNK && is_member(port, vlan) ? vlan : 0;
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

/* The port of the vEth that has this MAC. Linux 6.1 takes no key out of a caller's memory. */
static __always_inline __u32 *veth_of(const struct fex_mac *mac)
{
	struct fex_mac key = *mac;

	return bpf_map_lookup_elem(&veths, &key);
}

/* Learn the source of a frame from the network. Its address must not be one of our vEths': see fex_settings.epoch. */
static __always_inline __u32 learn(const struct frame *f, __u64 now, struct fex_decision *d)
{
	struct fex_station fresh = {.seen_ns = now, .port = d->in};
	struct fex_station_key key = station_key(&f->src, d->vlan);
	struct fex_station *known = bpf_map_lookup_elem(&stations, &key);
	__u32 before = known ? known->port : 0; /* the update below gives the old entry's memory away */
	struct fex_settings *set = the_settings();

	if (!set)
		return FEX_DROP_PORT_DOWN;
	if (known && before == d->in && known->epoch == set->epoch) {
		if (age_of(known, now) > REFRESH_NS)
			known->seen_ns = now;
		return FEX_DROP_NONE;
	}
	if (veth_of(&f->src)) {
		if (known)
			bpf_map_delete_elem(&stations, &key);
		return FEX_DROP_OWN_SOURCE;
	}
	fresh.epoch = set->epoch;
	if (bpf_map_update_elem(&stations, &key, &fresh, BPF_ANY))
		d->not_learnt = true;
	else if (!known)
		count_total(FEX_TOTAL_LEARNT, 1);
	else if (before != d->in)
		count_total(FEX_TOTAL_MOVED, 1);
	return FEX_DROP_NONE;
}

static __always_inline void leave_by(const struct fex_port *port, __u32 number, struct fex_decision *d)
{
	d->verdict = FEX_VERDICT_DELIVER;
	d->out = number;
	d->tagged = port->flags & FEX_PORT_TRUNK && port->vlan != d->vlan;
}

static __always_inline void to_veth(const struct fex_port *from, __u32 number, struct fex_decision *d)
{
	struct fex_port *to = bpf_map_lookup_elem(&ports, &number);

	if (number == d->in)
		return drop(d, FEX_DROP_SAME_PORT);
	if (!to || !(to->flags & FEX_PORT_UP))
		return drop(d, FEX_DROP_PORT_DOWN);
	if ((from->flags & (FEX_PORT_NETWORK | FEX_PORT_PEERING)) == FEX_PORT_NETWORK && to->pin != d->in)
		return drop(d, FEX_DROP_NOT_PINNED);
	if (!is_member(to, d->vlan))
		return drop(d, FEX_DROP_VLAN_MISMATCH);
	if (link_of(number) == link_of(d->in))
		d->source = d->in & FEX_CHANNEL_MASK; /* the U-turn: VN-Tag says so with l=1 */
	leave_by(to, number, d);
}

/* The row of a network port, if it may carry the VLAN. */
static __always_inline struct fex_port *network_port(__u32 number, __u32 vlan)
{
	const __u32 flags = FEX_PORT_UP | FEX_PORT_NETWORK;
	struct fex_port *port = number ? bpf_map_lookup_elem(&ports, &number) : NULL;

	return port && (port->flags & flags) == flags && is_member(port, vlan) ? port : NULL;
}

static __always_inline bool is_peer(__u32 number)
{
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);

	return port && port->flags & FEX_PORT_PEERING;
}

/* To the pinned port, wherever the station was heard, unless that was at a peer. */
static __always_inline void to_network(const struct fex_port *from, __u32 station_port, struct fex_decision *d)
{
	__u32 number = from->pin;
	struct fex_port *way;

	if (from->flags & FEX_PORT_NETWORK)
		return drop(d, station_port == d->in ? FEX_DROP_SAME_PORT : FEX_DROP_NETWORK_TO_NETWORK);
	if (station_port != number && is_peer(station_port))
		number = station_port;
	way = network_port(number, d->vlan);
	if (!way)
		return drop(d, FEX_DROP_NO_RECEIVER);
	leave_by(way, number, d);
}

static __always_inline void to_all(const struct fex_port *from, struct fex_decision *d)
{
	bool network = from->flags & FEX_PORT_NETWORK;
	__u32 scope = network && !(from->flags & FEX_PORT_PEERING) ? link_of(d->in) : 0;
	__u32 key = scope << FEX_CHANNEL_BITS | d->vlan;
	struct fex_flood *flood = bpf_map_lookup_elem(&floods, &key);
	struct fex_port *pin = network ? NULL : network_port(from->pin, d->vlan);

	if (flood) {
		d->uplinks = flood->any;
		d->list = flood->list;
	}
	if (!network) {
		__u64 own = 1ull << ((link_of(d->in) - FEX_FIRST_UPLINK) & 63);

		if (!flood || !(flood->many & own))
			d->uplinks &= ~own;
		d->source = d->in & FEX_CHANNEL_MASK;
		d->peers = flood ? flood->peers : 0;
	}
	if (pin)
		leave_by(pin, from->pin, d);
	if (!d->uplinks && !d->peers && !pin)
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

static __always_inline __u32 judge_source(const struct frame *f, const struct fex_port *port)
{
	bool nobody = !*(const __u64 *)&f->src; /* and a vEth whose MAC is not set yet has nobody's */

	if (!(port->flags & FEX_PORT_NETWORK))
		return same_mac(&f->src, &port->mac) && !nobody ? FEX_DROP_NONE : FEX_DROP_SPOOFED_SOURCE;
	if (is_group(&f->src) || nobody)
		return FEX_DROP_BAD_SOURCE;
	return FEX_DROP_NONE;
}

static __always_inline void find_way(const struct frame *f, const struct fex_port *port, __u64 now,
				     struct fex_decision *d)
{
	struct fex_station_key key = station_key(&f->dst, d->vlan);
	struct fex_settings *set = the_settings();
	struct fex_station *station;
	__u32 *veth;

	if (is_group(&f->dst))
		return to_all(port, d);
	veth = veth_of(&f->dst);
	if (veth)
		return to_veth(port, *veth, d);
	station = bpf_map_lookup_elem(&stations, &key);
	if (station && set && age_of(station, now) < (__s64)set->ageing_ns)
		return to_network(port, station->port, d);
	to_all(port, d);
}

static __always_inline void decide(const struct frame *f, bool whole, __u32 link, __u64 now, struct fex_decision *d)
{
	struct fex_port *port;
	__u32 reason;

	d->in = port_of(link, 0);
	if (!whole)
		return drop(d, FEX_DROP_TRUNCATED);
	port = enter(f, link, d);
	if (!port)
		return;
	reason = judge_head(f);
	if (!reason)
		reason = judge_source(f, port);
	if (reason)
		return drop(d, reason);
	d->vlan = classify(f, port);
	if (!d->vlan)
		return drop(d, FEX_DROP_VLAN_NOT_ALLOWED);
	d->tci = (f->tpid == ETH_P_8021Q ? f->tci & ~VLAN_VID_MASK : 0) | d->vlan;
	if (port->flags & FEX_PORT_NETWORK) {
		reason = learn(f, now, d);
		if (reason)
			return drop(d, reason);
	}
	find_way(f, port, now, d);
}

/* Its own function, so that the verifier walks each way through it once, and not what follows once for each of them. */
__noinline int decide_bridge(struct frame *f, bool whole, __u32 link, __u64 now, struct fex_decision *d)
{
	if (f && d)
		decide(f, whole, link, now, d);
	return 0;
}

#endif
