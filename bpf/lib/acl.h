/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The first rule of an ACL that a frame matches: each dimension is walked alone and gives a vector with a bit a rule; the
 * lowest bit of their AND is the rule. Ten rules cost what a thousand do, but for the length of the vectors.
 * Its twin is walk() in src/openfex/rules/classes.py, and the specification is match() there.
 */
#ifndef FEX_ACL_H
#define FEX_ACL_H

#include "maps.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct fex_acl);
} acls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct fex_node);
} acl_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct fex_run);
} acl_runs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct fex_vector);
} vectors SEC(".maps");

/* Each CPU counts in rows of its own, as in `counters`. */
const volatile __u32 hit_rows = 65536;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

#define KEY_OCTETS 17
#define UNREADABLE -1
#define DENIED (1 << 30) /* beside the row of hits, and 1 */

enum dimension {
	SOURCE_MAC = 0,
	DESTINATION_MAC = 1,
	ETHERTYPE = 2,
	VLAN = 3,
	SOURCE = 4,
	DESTINATION = 5,
	PROTOCOL = 6,
	SOURCE_PORT = 7,
	DESTINATION_PORT = 8,
	TCP_FLAGS = 9,
};

/* What is looked up, and room behind the longest: a run is compared whole, also at the last octet. */
struct key {
	__u8 octets[KEY_OCTETS - 1 + 16];
};

static __always_inline void count_hit(__u32 row)
{
	__u32 own = bpf_get_smp_processor_id() * hit_rows + row;
	__u64 *count = FEX_CHANGES && row < hit_rows ? bpf_map_lookup_elem(&hits, &own) : NULL;

	if (count)
		++*count;
}

static __always_inline bool is_run(const struct fex_run *run, const struct key *key, __u32 at)
{
	const __u64 *next = (const void *)(key->octets + at);

	return !(((next[0] ^ run->octets[0]) & run->mask[0]) | ((next[1] ^ run->octets[1]) & run->mask[1]));
}

/* The vector of a key. Every step takes at least one octet, and what is beside a run is a leaf. */
__noinline int walk(const struct key *key, __u32 reference)
{
	__u32 at = 0;

	if (!key)
		return 0;
	for (int i = 0; i < KEY_OCTETS + 1; i++) {
		__u32 row = reference & FEX_REFERENCE_MASK;

		if (reference & FEX_LEAF)
			return row;
		if (at >= KEY_OCTETS)
			return 0;
		if (reference & FEX_RUN) {
			struct fex_run *run = bpf_map_lookup_elem(&acl_runs, &row);

			if (!run)
				return 0;
			reference = is_run(run, key, at) ? run->equal : run->other;
			at += run->length;
		} else {
			struct fex_node *node = bpf_map_lookup_elem(&acl_nodes, &row);

			if (!node)
				return 0;
			reference = node->next[key->octets[at]];
			at++;
		}
	}
	return 0;
}

/* The row of the vector of a dimension. The octets of a key that is looked up may be followed by anything. */
static __always_inline __u32 find(const struct fex_acl *acl, enum dimension d, bool present, const void *key)
{
	__u32 reference = present ? acl->root[d] : acl->absent[d];

	return reference & FEX_LEAF ? reference & FEX_REFERENCE_MASK : walk(key, reference);
}

static __always_inline __u32 find_number(const struct fex_acl *acl, enum dimension d, __u16 number)
{
	struct key key = {.octets = {number >> 8, number}};

	return find(acl, d, true, &key);
}

static __always_inline __u32 lowest(__u64 word)
{
	return place_of(word & -word);
}

static __always_inline struct fex_vector *vector(__u32 row)
{
	return bpf_map_lookup_elem(&vectors, &row);
}

/* Rows of vectors, a dimension each. */
struct classes {
	__u32 row[FEX_DIMENSIONS];
};

/* Most ACLs ask for addresses, protocols and ports alone. */
static __always_inline __u32 first_narrow(const struct fex_acl *acl, const struct classes *c)
{
	struct fex_vector *source = vector(c->row[SOURCE]), *destination = vector(c->row[DESTINATION]);
	struct fex_vector *protocol = vector(c->row[PROTOCOL]), *from = vector(c->row[SOURCE_PORT]);
	struct fex_vector *to = vector(c->row[DESTINATION_PORT]);

	if (!source || !destination || !protocol || !from || !to)
		return acl->rules;
	for (__u32 i = 0; i < 16 && i * 64 < acl->rules; i++) {
		__u64 both = source->word[i] & destination->word[i] & protocol->word[i] & from->word[i] & to->word[i];

		if (both)
			return i * 64 + lowest(both);
	}
	return acl->rules;
}

/* In a function of its own: else all its vectors are on the stack below classify_head, and Linux 6.1 refuses the sum. */
__noinline int first_wide(const struct fex_acl *acl, const struct classes *c)
{
	if (!acl || !c)
		return -1;
	struct fex_vector *source = vector(c->row[SOURCE]), *destination = vector(c->row[DESTINATION]);
	struct fex_vector *protocol = vector(c->row[PROTOCOL]), *from = vector(c->row[SOURCE_PORT]);
	struct fex_vector *to = vector(c->row[DESTINATION_PORT]), *sender = vector(c->row[SOURCE_MAC]);
	struct fex_vector *receiver = vector(c->row[DESTINATION_MAC]), *type = vector(c->row[ETHERTYPE]);
	struct fex_vector *vlan = vector(c->row[VLAN]), *flags = vector(c->row[TCP_FLAGS]);

	if (!source || !destination || !protocol || !from || !to || !sender || !receiver || !type || !vlan || !flags)
		return acl->rules;
	for (__u32 i = 0; i < 16 && i * 64 < acl->rules; i++) {
		__u64 both = source->word[i] & destination->word[i] & protocol->word[i] & from->word[i] & to->word[i];

		both &= sender->word[i] & receiver->word[i] & type->word[i] & vlan->word[i] & flags->word[i];
		if (both)
			return i * 64 + lowest(both);
	}
	return acl->rules;
}

static __always_inline void classify_packet(struct classes *c, const struct fex_acl *acl, const struct packet *p)
{
	c->row[SOURCE] = find(acl, SOURCE, true, p->source);
	c->row[DESTINATION] = find(acl, DESTINATION, true, p->destination);
	c->row[PROTOCOL] = find(acl, PROTOCOL, p->source[0], &p->fragment);
	c->row[SOURCE_PORT] = find(acl, SOURCE_PORT, p->has_ports, p->ports);
	c->row[DESTINATION_PORT] = find(acl, DESTINATION_PORT, p->has_destination_port, p->ports + 2);
}

/* In a function of its own, because few ACLs need it. */
__noinline int classify_head(struct classes *c, const struct frame *f, __u32 row, __u32 vlan)
{
	struct fex_acl *acl = bpf_map_lookup_elem(&acls, &row);
	struct packet *p = the_packet();

	if (!c || !f || !acl || !p)
		return -1;
	c->row[SOURCE_MAC] = find(acl, SOURCE_MAC, true, &f->src);
	c->row[DESTINATION_MAC] = find(acl, DESTINATION_MAC, true, &f->dst);
	c->row[ETHERTYPE] = find_number(acl, ETHERTYPE, f->type);
	c->row[VLAN] = find_number(acl, VLAN, vlan);
	c->row[TCP_FLAGS] = find(acl, TCP_FLAGS, p->has_flags, &p->flags);
	return 0;
}

/* The row of hits of the rule that decides, and 1; with DENIED if it denies. UNREADABLE if it cannot be told.
 * The packet has been read.
 */
__noinline int judge_acl(const struct frame *f, __u32 row, __u32 vlan)
{
	struct fex_acl *acl = bpf_map_lookup_elem(&acls, &row);
	struct packet *p = the_packet();
	struct fex_vector *permits;
	struct classes c = {};
	__u32 rule;

	if (!f || !acl || !p || p->unreadable)
		return UNREADABLE;
	classify_packet(&c, acl, p);
	if (acl->wide) {
		if (classify_head(&c, f, row, vlan))
			return UNREADABLE;
		rule = first_wide(acl, &c);
	} else {
		rule = first_narrow(acl, &c);
	}
	permits = vector(acl->permits);
	if (rule < acl->rules && permits && permits->word[rule >> 6 & 15] >> (rule & 63) & 1)
		return acl->hits + rule + 1;
	return (acl->hits + rule + 1) | DENIED;
}

#endif
