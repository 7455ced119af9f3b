// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* What the port extender would do with a frame, and nothing done: see bridge_trace.bpf.c. */
#define FEX_TRACE
#include "tc_context.h"

#include "extender.h"
#include "tc_frame.h"
#include "trace.h"

static __always_inline int say(const struct fex_decision *d)
{
	struct fex_trace *trace = the_trace();

	if (!trace)
		return -1;
	trace->decided = *d;
	trace->settled = *d;
	return 0;
}

SEC("tc")
int trace_extender_up(struct __sk_buff *skb)
{
	struct fex_decision d = {};
	struct frame f = {};

	read_frame(skb, &f);
	decide_up(&f, attached_for(skb), &d);
	return say(&d);
}

SEC("tc")
int trace_extender_down(struct __sk_buff *skb)
{
	struct fex_decision d = {};
	struct frame f = {};

	read_frame(skb, &f);
	decide_down(skb, &f, attached_for(skb), &d);
	return say(&d);
}

char _license[] SEC("license") = "GPL";
