// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * What the bridge would do with a frame, by the same decision, over the same tables, and nothing done. Loaded by
 * `fex trace-frame`, run on one frame by BPF_PROG_TEST_RUN, attached nowhere.
 */
#define FEX_TRACE
#include "tc_context.h"

#include "settle.h"
#include "tc_frame.h"
#include "trace.h"

/* One a CPU, because what is called from here needs all of a stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

static __always_inline struct frame *read(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct frame *f = bpf_map_lookup_elem(&frames, &zero);

	if (f) {
		__builtin_memset(f, 0, sizeof(*f));
		read_frame(skb, f);
	}
	return f;
}

SEC("tc")
int trace_bridge_in(struct __sk_buff *skb)
{
	struct fex_trace *trace = the_trace();
	struct frame *f = read(skb);

	if (!trace || !f)
		return -1;
	__builtin_memset(trace, 0, sizeof(*trace));
	trace->now_ns = now_ns();
	decide_bridge(skb, f, attached_for(skb), &trace->decided);
	trace->settled = trace->decided;
	settle(f, &trace->settled);
	return 0;
}

/* A copy of a flood, in VLAN cb[1], that leaves by the port cb[0]. */
SEC("tc")
int trace_bridge_copy(struct __sk_buff *skb)
{
	__u32 number = skb->cb[0], vlan = skb->cb[1];
	struct fex_port *port = bpf_map_lookup_elem(&ports, &number);
	struct fex_profile *profile = port ? profile_of(port) : NULL;
	struct fex_trace *trace = the_trace();
	struct frame *f = read(skb);
	int hit = 0;

	if (!trace || !f || !profile)
		return -1;
	__builtin_memset(trace, 0, sizeof(*trace));
	trace->now_ns = now_ns();
	read_packet(skb, f->inner, f->type);
	trace->decided.in = number;
	trace->decided.reason = judge_leaving(f, number, version_of(profile), vlan, &hit);
	trace->decided.hit[OUT] = hit > 0 ? hit & ~DENIED : 0;
	trace->settled = trace->decided;
	return 0;
}

char _license[] SEC("license") = "GPL";
