// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* What a frame costs a Linux bridge in `fex bench`: bench_start at tc ingress of its ports, bench_end at tc egress.
 *
 * Between them is all that the bridge does, and what nftables does at the hooks of the bridge and of its devices: the
 * kernel asks those of ingress after tc, and those of egress before it. One CPU carries a frame from end to end without
 * a pause, so there is one frame at a time.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

enum {
	START,
	SPENT_NS,
	FRAMES,
	ROWS
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ROWS);
	__type(key, __u32);
	__type(value, __u64);
} clock SEC(".maps");

static __always_inline __u64 *row(__u32 key)
{
	return bpf_map_lookup_elem(&clock, &key);
}

SEC("tc")
int bench_start(struct __sk_buff *skb)
{
	__u64 *start = row(START);

	if (start)
		*start = bpf_ktime_get_ns();
	return TC_ACT_OK;
}

SEC("tc")
int bench_end(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 *start = row(START), *spent = row(SPENT_NS), *frames = row(FRAMES);

	if (start && spent && frames && *start) {
		*spent += now - *start;
		*start = 0;
		++*frames;
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
