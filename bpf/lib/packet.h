/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What stands behind a frame's head, read once a frame and only where a policy asks: docs/design/policy.md says what can
 * be read. Its twin, and the specification, is src/openfex/rules/packet.py.
 */
#ifndef FEX_PACKET_H
#define FEX_PACKET_H

#include "frame.h"

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86dd

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_DCCP 33
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_AUTHENTICATION 51
#define PROTO_ICMPV6 58
#define PROTO_OPTIONS 60
#define PROTO_SCTP 132
#define PROTO_MOBILITY 135
#define PROTO_UDPLITE 136
#define PROTO_HIP 139
#define PROTO_SHIM6 140

#define MOST_EXTENSIONS 8
#define TCP_FLAGS_AT 13

enum fragment {
	FRAGMENT_NOT = 0,
	FRAGMENT_FIRST = 1,
	FRAGMENT_LATER = 2,
};

struct packet {
	__u8 source[16]; /* IPv4 in the first four */
	__u8 destination[16];
	__u8 family; /* 4, 6, or 0 for neither */
	__u8 protocol;
	__u8 fragment; /* enum fragment */
	__u8 flags; /* of TCP */
	__u8 ports[4]; /* source and destination, or ICMP type and code, in wire order */
	bool has_ports; /* what goes for a source port is there */
	bool has_destination_port;
	bool has_flags;
	bool unreadable;
	__u32 at; /* where the protocol's own head begins */
};

/* One a CPU, because a stack has no room: of the frame that is being judged now. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} packets SEC(".maps");

static __always_inline struct packet *the_packet(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&packets, &zero);
}

static __always_inline void read_ports(FEX_CONTEXT *ctx, struct packet *p)
{
	__u8 flags;

	if (p->fragment == FRAGMENT_LATER)
		return;
	switch (p->protocol) {
	case PROTO_TCP:
		if (load_octets(ctx, p->at + TCP_FLAGS_AT, &flags, 1)) {
			p->unreadable = true;
			return;
		}
		p->flags = flags;
		p->has_flags = true;
		__attribute__((fallthrough));
	case PROTO_UDP:
	case PROTO_DCCP:
	case PROTO_SCTP:
	case PROTO_UDPLITE:
		p->has_ports = p->has_destination_port = !load_octets(ctx, p->at, p->ports, 4);
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		p->has_ports = !load_octets(ctx, p->at, p->ports, 2);
		break;
	default:
		return;
	}
	p->unreadable = !p->has_ports;
}

static __always_inline void read_ipv4(FEX_CONTEXT *ctx, struct packet *p)
{
	__u8 head[20];
	__u32 length, word;

	p->unreadable = true;
	if (load_octets(ctx, p->at, head, sizeof(head)))
		return;
	length = (head[0] & 15) * 4;
	if (head[0] >> 4 != 4 || length < sizeof(head) || p->at + length > octets_in(ctx))
		return;
	p->unreadable = false;
	p->family = 4;
	word = head[6] << 8 | head[7];
	p->fragment = word & 0x1fff ? FRAGMENT_LATER : word & 0x2000 ? FRAGMENT_FIRST : FRAGMENT_NOT;
	p->protocol = head[9];
	__builtin_memcpy(p->source, head + 12, 4);
	__builtin_memcpy(p->destination, head + 16, 4);
	p->at += length;
	read_ports(ctx, p);
}

static __always_inline bool is_extension(__u32 protocol)
{
	return !protocol || protocol == PROTO_ROUTING || protocol == PROTO_FRAGMENT ||
	       protocol == PROTO_AUTHENTICATION || protocol == PROTO_OPTIONS || protocol == PROTO_MOBILITY ||
	       protocol == PROTO_HIP || protocol == PROTO_SHIM6;
}

static __always_inline void read_fragment(struct packet *p, const __u8 *start)
{
	__u32 word = start[2] << 8 | start[3];

	if (word & 0xfff8)
		p->fragment = FRAGMENT_LATER;
	else if (word & 1)
		p->fragment = FRAGMENT_FIRST;
}

/* One round of a loop, 1 ends it. */
static long pass_extension(__u32 index, void *context)
{
	struct packet *p = the_packet();
	FEX_CONTEXT *ctx = *(FEX_CONTEXT **)context;
	__u8 start[4];

	if (!p || !is_extension(p->protocol) || p->fragment == FRAGMENT_LATER)
		return 1;
	if (load_octets(ctx, p->at, start, sizeof(start))) {
		p->unreadable = true;
		return 1;
	}
	if (p->protocol == PROTO_FRAGMENT) {
		read_fragment(p, start);
		p->at += 8;
	} else if (p->protocol == PROTO_AUTHENTICATION) {
		p->at += (start[1] + 2) * 4;
	} else {
		p->at += (start[1] + 1) * 8;
	}
	p->protocol = start[0];
	return 0;
}

static __always_inline void read_ipv6(FEX_CONTEXT *ctx, struct packet *p)
{
	__u8 head[40];

	if (load_octets(ctx, p->at, head, sizeof(head)) || head[0] >> 4 != 6) {
		p->unreadable = true;
		return;
	}
	p->family = 6;
	p->protocol = head[6];
	__builtin_memcpy(p->source, head + 8, 16);
	__builtin_memcpy(p->destination, head + 24, 16);
	p->at += sizeof(head);
	if (is_extension(p->protocol)) {
		bpf_loop(MOST_EXTENSIONS, pass_extension, &ctx, 0);
		if (is_extension(p->protocol) && p->fragment != FRAGMENT_LATER)
			p->unreadable = true;
	}
	if (!p->unreadable)
		read_ports(ctx, p);
}

/* Read it into the_packet(). */
__noinline int read_packet(FEX_CONTEXT *ctx, __u32 inner, __u32 type)
{
	struct packet *p = the_packet();

	if (!p)
		return -1;
	__builtin_memset(p, 0, sizeof(*p));
	p->at = inner;
	if (type == ETH_P_IP)
		read_ipv4(ctx, p);
	else if (type == ETH_P_IPV6)
		read_ipv6(ctx, p);
	return 0;
}

#endif
