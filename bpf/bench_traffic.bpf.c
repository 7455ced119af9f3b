// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Traffic of `fex bench`: bench_send is run on live frames (BPF_F_TEST_XDP_LIVE_FRAMES) and sends each out of a NIC as
 * if that NIC's owner had. What arrives at a NIC is counted and ended by bench_sink, at tc ingress, or by bench_xdp_sink.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

#define ETH_P_IP 0x0800
#define HEAD (14 + 20 + 8)

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP); /* a row knows the name space that it was written in */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} nics SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fex_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

const volatile __u32 flow_count = 1;
const volatile __u32 burst = 1; /* frames of one flow in a row */
const volatile __u32 frame_octets = 60;

/* Where the generator is; it runs on one CPU. */
__u32 flow;
__u32 sent;

/* Eight octets at a time: left alone, the compiler copies one by one. */
static __always_inline void copy_head(void *to, const void *from)
{
	int word;

#pragma unroll
	for (word = 0; word < HEAD / 8; word++)
		((__u64 *)to)[word] = ((const __u64 *)from)[word];
	((__u16 *)to)[HEAD / 2 - 1] = ((const __u16 *)from)[HEAD / 2 - 1];
}

SEC("xdp")
int bench_send(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	struct fex_flow *row;
	__u32 key;

	if (sent++ == burst) {
		sent = 1;
		flow = flow + 1 < flow_count ? flow + 1 : 0;
	}
	key = flow;
	row = bpf_map_lookup_elem(&flows, &key);
	if (!row || frame + HEAD > (void *)(long)ctx->data_end)
		return XDP_DROP;
	copy_head(frame, row->head);
	return bpf_redirect_map(&nics, row->nic, 0);
}

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&arrived, &zero);

	if (count)
		++*count;
}

SEC("xdp.frags")
int bench_xdp_sink(struct xdp_md *ctx)
{
	__be16 *type = (void *)(long)ctx->data + 12;

	if (ctx->data_end - ctx->data != frame_octets || (void *)(type + 1) > (void *)(long)ctx->data_end ||
	    *type != bpf_htons(ETH_P_IP))
		return XDP_PASS; /* the stacks' own */
	count();
	return XDP_DROP;
}

SEC("tc")
int bench_sink(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->len != frame_octets)
		return TC_ACT_OK; /* the stacks' own */
	count();
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "GPL";
