/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Service tags (802.1ad) of network ports: taken off what comes in, before it is judged, and put around what leaves.
 * Its twin, and the specification, is src/openfex/rules/service.py.
 */
#ifndef FEX_SERVICE_H
#define FEX_SERVICE_H

#include "priority.h"

/* See a frame as it is behind its service tag, if that is the port's. Where no C-tag follows, its priority stays. */
__noinline int unwrap(FEX_CONTEXT *ctx, struct frame *f, __u32 service, struct fex_decision *d)
{
	__be16 next[2]; /* the tag behind it: it has been read over, so it is there */

	if (!f || !d || f->tpid != ETH_P_8021AD || (f->tci & VLAN_VID_MASK) != service)
		return 0;
	if (f->vlan_tags == 1) {
		f->vlan_tags = 0;
		f->tpid = 0;
		f->tci = priority_bits(f->tci);
	} else {
		if (load_octets(ctx, 12 + channel_octets(f) + (f->out_of_band ? 0 : VLAN_LEN), next, sizeof(next)))
			return -1;
		f->vlan_tags -= !is_vlan(f->type); /* else three were counted, and there are more */
		f->tpid = bpf_ntohs(next[0]);
		f->tci = bpf_ntohs(next[1]);
	}
	d->unwrapped = true;
	return 0;
}

/* The second word of the service tag that a frame leaves with. */
static __always_inline __u16 service_tci(const struct fex_decision *d, __u16 service)
{
	return priority_bits(d->tci) | service;
}

#endif
