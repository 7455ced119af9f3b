// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The peer `bare-xdp` of `fex bench`: the hops of a frame from function to function of one host, and nothing else. No
 * tag, no table, no counter; whose frame it is, is told by the last bit of its destination.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define UPLINK 2

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP); /* the two functions' devices, and the uplink */
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u32);
} ways SEC(".maps");

/* At a function's device: from the machine into the uplink. */
SEC("xdp")
int bench_up(struct xdp_md *ctx)
{
	return bpf_redirect_map(&ways, UPLINK, 0);
}

/* At the bridge's end of the uplink: back where it came from. */
SEC("xdp")
int bench_turn(struct xdp_md *ctx)
{
	return XDP_TX;
}

/* At the host's end of the uplink: to a machine. */
SEC("xdp")
int bench_down(struct xdp_md *ctx)
{
	const __u8 *destination = (void *)(long)ctx->data;

	if (destination + 6 > (const __u8 *)(long)ctx->data_end)
		return XDP_DROP;
	return bpf_redirect_map(&ways, destination[5] & 1, 0);
}

char _license[] SEC("license") = "GPL";
