/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What stands behind a frame's head, read once a frame and only where a policy asks: docs/design/policy.md says what can
 * be read. Its twin, and the specification, is src/openfex/rules/packet.py.
 */
#ifndef FEX_PACKET_H
#define FEX_PACKET_H

#include <stddef.h>

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

/* Its fields lie as an ACL looks them up: each is the key of a dimension. */
struct packet {
	__u8 source[1 + 16]; /* 4, 6, or 0 for neither; and the address, IPv4 in the first four octets */
	__u8 destination[1 + 16];
	__u8 fragment; /* enum fragment */
	__u8 protocol;
	__u8 ports[4]; /* source and destination, or ICMP type and code, in wire order */
	__u8 flags; /* of TCP */
	bool has_ports; /* what goes for a source port is there */
	bool has_destination_port;
	bool has_flags;
	bool unreadable;
	__u8 zero[3];
	__u32 at; /* where the protocol's own head begins */
	__u8 room[32]; /* behind the last key */
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

/* A head made of words is mostly near the beginning of a frame, and then needs no call. The barrier keeps the pointer that
 * is checked the one that is read by.
 */
#define load_head(ctx, where, to)                                                                                      \
	({                                                                                                             \
		const typeof(*(to)) *from = (void *)(long)(ctx)->data + ((where)&127);                                 \
		long result = 0;                                                                                       \
                                                                                                                       \
		asm volatile("" : "+r"(from));                                                                         \
		if ((where) > 127 || (void *)(from + 1) > (void *)(long)(ctx)->data_end)                               \
			result = load_octets(ctx, where, to, sizeof(*(to)));                                           \
		else                                                                                                   \
			*(to) = *from;                                                                                 \
		result;                                                                                                \
	})

struct ipv4_head {
	__be32 start; /* version, header length, service, length */
	__be32 fragment;
	__be32 protocol; /* time to live, protocol, checksum */
	__be32 source;
	__be32 destination;
};

struct ipv6_head {
	__be32 start; /* version, class, flow */
	__be32 protocol; /* length, next header, hop limit */
};

struct ipv6_address {
	__be32 word[4];
};

/* What a protocol's own head says: the ports, and of TCP its flags. */
static __always_inline void read_ports(FEX_CONTEXT *ctx, struct packet *p)
{
	__u32 ports;

	if (p->fragment == FRAGMENT_LATER)
		return;
	switch (p->protocol) {
	case PROTO_TCP:
		if (load_octets(ctx, p->at + TCP_FLAGS_AT, &p->flags, 1)) {
			p->unreadable = true;
			return;
		}
		p->has_flags = true;
		__attribute__((fallthrough));
	case PROTO_UDP:
	case PROTO_DCCP:
	case PROTO_SCTP:
	case PROTO_UDPLITE:
		p->has_ports = p->has_destination_port = !load_head(ctx, p->at, &ports);
		*(__u32 *)p->ports = p->has_ports ? ports : 0;
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
	struct ipv4_head head;
	__u32 length, word;

	p->unreadable = true;
	if (load_head(ctx, p->at, &head))
		return;
	word = bpf_ntohl(head.start);
	length = (word >> 24 & 15) * 4;
	if (word >> 28 != 4 || length < sizeof(head) || p->at + length > octets_in(ctx))
		return;
	p->unreadable = false;
	p->source[0] = p->destination[0] = 4;
	word = bpf_ntohl(head.fragment);
	p->fragment = word & 0x1fff ? FRAGMENT_LATER : word & 0x2000 ? FRAGMENT_FIRST : FRAGMENT_NOT;
	p->protocol = bpf_ntohl(head.protocol) >> 16;
	*(__be32 *)(p->source + 1) = head.source;
	*(__be32 *)(p->destination + 1) = head.destination;
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
	struct ipv6_head head;

	if (load_head(ctx, p->at, &head) || bpf_ntohl(head.start) >> 28 != 6 ||
	    load_head(ctx, p->at + 8, (struct ipv6_address *)(p->source + 1)) ||
	    load_head(ctx, p->at + 24, (struct ipv6_address *)(p->destination + 1))) {
		p->unreadable = true;
		return;
	}
	p->source[0] = p->destination[0] = 6;
	p->protocol = bpf_ntohl(head.protocol) >> 8;
	p->at += 40;
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
	__builtin_memset(&p->fragment, 0, offsetof(struct packet, at) - offsetof(struct packet, fragment));
	p->source[0] = p->destination[0] = 0;
	p->at = inner;
	if (type == ETH_P_IP)
		read_ipv4(ctx, p);
	else if (type == ETH_P_IPV6)
		read_ipv6(ctx, p);
	return 0;
}

#endif
