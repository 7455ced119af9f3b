/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The guard: what a port sends names as its sender nobody but the port, in IPv4, IPv6, ARP and neighbour discovery.
 * Its twin, and the specification, is judge_guard() in src/openfex/rules/policy.py.
 */
#ifndef FEX_GUARD_H
#define FEX_GUARD_H

#include "maps.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct fex_address);
	__type(value, __u32);
} addresses SEC(".maps");

#define MOST_OPTIONS 4
#define ARP_OCTETS 28
#define NEIGHBOUR_OCTETS 24
#define BOOTPC 68
#define BOOTPS 67

enum icmpv6_type {
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ROUTER_SOLICITATION = 133,
	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
	MLD2_REPORT = 143,
};

static __always_inline bool is_zero(const __u8 *octets, __u32 n)
{
	__u8 any = 0;

#pragma unroll
	for (__u32 i = 0; i < n; i++)
		any |= octets[i];
	return !any;
}

static __always_inline bool owns_ipv4(__u32 port, const __u8 *octets)
{
	struct fex_address key = {.port = port, .octets = {[10] = 0xff, [11] = 0xff}};

	__builtin_memcpy(key.octets + 12, octets, 4);
	return bpf_map_lookup_elem(&addresses, &key);
}

static __always_inline bool owns_ipv6(__u32 port, const __u8 *octets)
{
	struct fex_address key = {.port = port};

	__builtin_memcpy(key.octets, octets, 16);
	return bpf_map_lookup_elem(&addresses, &key);
}

static __always_inline bool is_sender(const __u8 *mac, const struct frame *f)
{
	struct fex_mac named = {};

	__builtin_memcpy(named.octets, mac, 6);
	return same_mac(&named, &f->src);
}

static __always_inline __u32 judge_arp(FEX_CONTEXT *ctx, const struct frame *f, __u32 port)
{
	__u8 body[ARP_OCTETS] __attribute__((aligned(4)));

	if (load_octets(ctx, f->inner, body, sizeof(body)))
		return FEX_DROP_UNREADABLE_HEADER;
	if (*(__be32 *)body != bpf_htonl(0x00010800) || *(__be16 *)(body + 4) != bpf_htons(0x0604))
		return FEX_DROP_UNREADABLE_HEADER; /* not Ethernet and IPv4 */
	if (!is_sender(body + 8, f) || !(is_zero(body + 14, 4) || owns_ipv4(port, body + 14)))
		return FEX_DROP_SPOOFED_ADDRESS;
	return FEX_DROP_NONE;
}

/* Source and target link-layer addresses are the frame's own. */
static __always_inline __u32 judge_options(FEX_CONTEXT *ctx, const struct frame *f, __u32 at)
{
	__u8 option[8];

	for (int i = 0; i < MOST_OPTIONS; i++) {
		if (load_octets(ctx, at, option, sizeof(option)))
			return FEX_DROP_NONE;
		if (!option[1])
			return FEX_DROP_UNREADABLE_HEADER;
		if ((option[0] == 1 || option[0] == 2) && !is_sender(option + 2, f))
			return FEX_DROP_SPOOFED_ADDRESS;
		at += option[1] * 8;
	}
	return load_octets(ctx, at, option, sizeof(option)) ? FEX_DROP_NONE : FEX_DROP_UNREADABLE_HEADER;
}

static __always_inline __u32 judge_neighbour(FEX_CONTEXT *ctx, const struct frame *f, const struct packet *p,
					     __u32 port)
{
	__u8 body[NEIGHBOUR_OCTETS];
	__u32 type = p->protocol == PROTO_ICMPV6 && p->has_ports ? p->ports[0] : 0;

	if (type != NEIGHBOUR_SOLICITATION && type != NEIGHBOUR_ADVERTISEMENT)
		return FEX_DROP_NONE;
	if (load_octets(ctx, p->at, body, sizeof(body)))
		return FEX_DROP_UNREADABLE_HEADER;
	if ((type == NEIGHBOUR_ADVERTISEMENT || is_zero(p->source + 1, 16)) && !owns_ipv6(port, body + 8))
		return FEX_DROP_SPOOFED_ADDRESS;
	return judge_options(ctx, f, p->at + sizeof(body));
}

static __always_inline __u32 judge_ipv4(const struct packet *p, __u32 port)
{
	if (!is_zero(p->source + 1, 4))
		return owns_ipv4(port, p->source + 1) ? FEX_DROP_NONE : FEX_DROP_SPOOFED_ADDRESS;
	if (p->protocol == PROTO_UDP && p->has_ports && !p->ports[0] && p->ports[1] == BOOTPC && !p->ports[2] &&
	    p->ports[3] == BOOTPS)
		return FEX_DROP_NONE;
	return FEX_DROP_SPOOFED_ADDRESS;
}

static __always_inline __u32 judge_ipv6(FEX_CONTEXT *ctx, const struct frame *f, const struct packet *p, __u32 port)
{
	if (!is_zero(p->source + 1, 16) && !owns_ipv6(port, p->source + 1))
		return FEX_DROP_SPOOFED_ADDRESS;
	if (!is_zero(p->source + 1, 16))
		return judge_neighbour(ctx, f, p, port);
	if (p->protocol != PROTO_ICMPV6 || !p->has_ports)
		return FEX_DROP_SPOOFED_ADDRESS;
	switch (p->ports[0]) {
	case NEIGHBOUR_SOLICITATION:
		return judge_neighbour(ctx, f, p, port) ? FEX_DROP_SPOOFED_ADDRESS : FEX_DROP_NONE;
	case MLD_REPORT:
	case MLD_DONE:
	case MLD2_REPORT:
	case ROUTER_SOLICITATION:
		return FEX_DROP_NONE;
	}
	return FEX_DROP_SPOOFED_ADDRESS;
}

/* A drop reason. The packet has been read. */
__noinline int judge_guard(FEX_CONTEXT *ctx, const struct frame *f, __u32 port)
{
	struct packet *p = the_packet();

	if (!f || !p)
		return FEX_DROP_UNREADABLE_HEADER;
	if (f->type == ETH_P_ARP)
		return judge_arp(ctx, f, port);
	if (f->type != ETH_P_IP && f->type != ETH_P_IPV6)
		return FEX_DROP_NONE;
	if (p->unreadable)
		return FEX_DROP_UNREADABLE_HEADER;
	return f->type == ETH_P_IP ? judge_ipv4(p, port) : judge_ipv6(ctx, f, p, port);
}

#endif
