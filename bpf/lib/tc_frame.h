/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Reading a frame at tc ingress: for which port the program runs, the head, and what a super-frame stands for. */
#ifndef FEX_TC_FRAME_H
#define FEX_TC_FRAME_H

#include "packet.h"

/* The port (extender) or link (bridge) that a program is attached for: the filter's classid, at no look-up's cost. */
static __always_inline __u32 attached_for(struct __sk_buff *skb)
{
#if defined(FEX_TEST) || defined(FEX_TRACE)
	return skb->mark; /* a test run cannot set a classid */
#else
	return skb->tc_classid;
#endif
}

/* Where what a super-frame carries begins: behind the headers that each of its segments has. */
__noinline int find_payload(struct __sk_buff *skb, __u32 type, __u32 at)
{
	__u8 octet, protocol = 0;

	if (type == ETH_P_IPV6) {
		bpf_skb_load_bytes(skb, at + 6, &protocol, 1);
		at += 40;
	} else if (type == ETH_P_IP && !bpf_skb_load_bytes(skb, at, &octet, 1)) {
		bpf_skb_load_bytes(skb, at + 9, &protocol, 1);
		at += (octet & 15) * 4;
	}
	if (protocol == PROTO_TCP && !bpf_skb_load_bytes(skb, at + 12, &octet, 1))
		at += (octet >> 4) * 4;
	else
		at += 8; /* UDP */
	return at;
}

/* The frames that a super-frame stands for, and their octets. If a virtual machine has just sent it, nobody has counted
 * its segments yet.
 */
static __always_inline void measure_segments(struct __sk_buff *skb, struct frame *f)
{
	__u32 payload = find_payload(skb, f->type, f->inner), size = skb->gso_size, length = skb->len;
	__u32 head = payload - channel_overhead(f->kind) + (f->out_of_band ? VLAN_LEN : 0);

	if (!size || length <= payload)
		return;
	f->segments = skb->gso_segs ? skb->gso_segs : (length - payload + size - 1) / size;
	f->octets += (f->segments - 1) * head;
}

static __always_inline void read_frame(struct __sk_buff *skb, struct frame *f)
{
	struct cursor c;

	if (skb->data + MOST_HEAD > skb->data_end)
		bpf_skb_pull_data(skb, skb->len < MOST_HEAD ? skb->len : MOST_HEAD);
	c.at = (void *)(long)skb->data;
	c.end = (void *)(long)skb->data_end;
	f->octets = skb->len;
	f->segments = 1;
	if (skb->vlan_present) {
		f->out_of_band = true;
		f->tpid = bpf_ntohs(skb->vlan_proto);
		f->tci = skb->vlan_tci;
		f->vlan_tags = 1;
		f->octets += VLAN_LEN;
	}
	parse_frame(&c, f);
	if (skb->gso_size)
		measure_segments(skb, f);
}

#endif
