// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Listening to a wire whose frames never become an skb, which is where packet sockets listen: each is shown as it comes,
 * and goes on to the program that was there.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("xdp.frags")
int xdp_tap(struct xdp_md *ctx)
{
	__u32 octets = bpf_xdp_get_buff_len(ctx);

	bpf_perf_event_output(ctx, &rings, BPF_F_CURRENT_CPU | (__u64)octets << 32, &octets, sizeof(octets));
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS; /* its process has ended: tc does as it would */
}

char _license[] SEC("license") = "GPL";
