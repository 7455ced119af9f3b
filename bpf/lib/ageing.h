/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Ageing without a process: a timer in the kernel walks the stations. It lives as long as its map is pinned.
 * bridge_start_ageing is run once by the loader.
 */
#ifndef FEX_AGEING_H
#define FEX_AGEING_H

#include <linux/pkt_cls.h>

#include "bridge.h"

#define CLOCK_MONOTONIC 1
#define SHORTEST_SWEEP_NS 250000000ull

struct ageing_clock {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ageing_clock);
} ageing SEC(".maps");

struct sweep {
	__u64 oldest_ns;
	__u64 aged;
};

static long age_one(void *map, struct fex_station_key *key, struct fex_station *station, struct sweep *s)
{
	if (station->seen_ns < s->oldest_ns && !bpf_map_delete_elem(map, key))
		s->aged++;
	return 0;
}

static int sweep_stations(void *map, __u32 *key, struct ageing_clock *clock)
{
	struct fex_settings *set = the_settings();
	__u64 now = bpf_ktime_get_ns();
	struct sweep s = {};
	__u64 pause;

	if (!set)
		return 0;
	if (now > set->ageing_ns) {
		s.oldest_ns = now - set->ageing_ns;
		bpf_for_each_map_elem(&stations, age_one, &s, 0);
		count_total(FEX_TOTAL_AGED, s.aged);
	}
	pause = set->ageing_ns / 4;
	bpf_timer_start(&clock->timer, pause > SHORTEST_SWEEP_NS ? pause : SHORTEST_SWEEP_NS, 0);
	return 0;
}

SEC("tc")
int bridge_start_ageing(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct ageing_clock *clock = bpf_map_lookup_elem(&ageing, &zero);

	if (!clock)
		return 1;
	bpf_timer_init(&clock->timer, &ageing, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&clock->timer, sweep_stations);
	return bpf_timer_start(&clock->timer, 0, 0) ? 1 : 0;
}

#endif
