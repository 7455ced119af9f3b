/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The only structs that BPF and Python share. Their twins are in src/openfex/datapath/abi.py; sizes are compared when
 * a program is loaded, enumerations by tests/unit/datapath/test_abi.py.
 *
 * A port has a number on its node: link << 12 | channel. Links are counted from 1, so port 0 is nobody. Channel 0 is
 * the link itself: on a bridge a network port, or an uplink's own row in the counters. Channels 1..4094 name functions.
 * So every table that is keyed by a port is an array, and the frames' path has one hash.
 */
#ifndef FEX_ABI_H
#define FEX_ABI_H

#include <linux/types.h>

#define FEX_CHANNEL_BITS 12
#define FEX_CHANNEL_MASK 0xfff
#define FEX_LAST_CHANNEL 4094
#define FEX_DEFAULT_CHANNEL 1 /* of S-channels the one without a tag */
#define FEX_LIST_MASK 0x3fff /* 14 bits: VN-Tag dvif with p=1, or GRP and E-CID_base */

/* A bridge's network ports are links 1..15, its uplinks 16..79 (bit link-16 of a mask). A host's uplinks are 1..15. */
#define FEX_FIRST_UPLINK 16
#define FEX_MAX_UPLINKS 64
#define FEX_MAX_LINKS (FEX_FIRST_UPLINK + FEX_MAX_UPLINKS)
#define FEX_LAST_IFINDEX 0xffff /* of a device that XDP programs know their number by */

enum fex_kind {
	FEX_KIND_NONE = 0, /* a network port: frames as they are */
	FEX_KIND_VNTAG = 1,
	FEX_KIND_ETAG = 2,
	FEX_KIND_SCHANNEL = 3, /* the outermost VLAN tag is the channel's, an S-tag */
	FEX_KIND_SCHANNEL_Q = 4, /* or a C-tag */
	FEX_KIND_VEPA = 5, /* no channel's tag: the VLAN's C-tag on every frame, and MACs say whose it is */
};

/* links: array, key = link */
struct fex_link {
	__u32 ifindex;
	__u16 kind; /* enum fex_kind */
	__u16 flags; /* of enum fex_port_flag: DIRECT, an uplink whose far end is handed its frames at once; XDP */
};

enum fex_port_flag {
	FEX_PORT_KNOWN = 1 << 0, /* carved: the channel names a function */
	FEX_PORT_UP = 1 << 1, /* has a profile: may forward */
	FEX_PORT_DIRECT = 1 << 2, /* straight to the device's peer, past its queue */
	FEX_PORT_NETWORK = 1 << 3, /* bridge: a network port, not a vEth */
	FEX_PORT_PEERING = 1 << 4, /* bridge: a network port that leads to another bridge of ours */
	FEX_PORT_XDP = 1 << 5, /* the device's far end takes what XDP sends */
	FEX_PORT_QUEUED = 1 << 6, /* the device's queue tells frames apart by their priority */
	FEX_PORT_VEPA = 1 << 7, /* a vEth or a function on a VEPA uplink */
	FEX_PORT_TRUNK = 1 << 8, /* with VEPA: a function that may send with a VLAN's tag */
};

/* skb->priority of a frame of PCP 0 in such a queue: the number of an HTB class (src/openfex/adapter/shaping.py) */
#define FEX_QUEUE 0x10010

/* functions: extender, array, key = port */
struct fex_function {
	__u32 ifindex; /* the device that leads to the function */
	__u16 flags; /* enum fex_port_flag */
	__u16 vlan; /* with VEPA: of what it sends untagged; 0: that is dropped */
};

/* owners: extender, hash, value = port. Whose a MAC is on a VEPA uplink. */
struct fex_owner_key {
	__u8 mac[6];
	__u16 link;
} __attribute__((aligned(8)));

/* lists: extender, hash, key = link << 16 | list id, on a VEPA uplink the VLAN. One bit a channel. */
struct fex_list {
	__u64 tagged[64]; /* members that get the frame with its VLAN tag */
	__u64 untagged[64]; /* members that get it without (802.1BR: the port's untagged set) */
};

/* A MAC and two octets that are zero, so that it can be compared as one word. */
struct fex_mac {
	__u8 octets[6];
	__u16 zero;
} __attribute__((aligned(8)));

/* ports: bridge, array, key = port */
struct fex_port {
	struct fex_mac mac; /* vEth: the function's own, and unless its profile says more the only source it may use */
	__u32 flags; /* enum fex_port_flag */
	__u32 pin; /* vEth: the network port it is pinned to, 0 for none */
	__u32 profile; /* row of profiles, 0 for none */
	__u32 zero;
};

/* A maximum of octets or frames. Who owes more time than `burst_ns` may not pass. */
struct fex_price {
	__u64 cost; /* of one, in 2^-16 ns; 0: no maximum */
	__u64 burst_ns;
};

enum fex_policy_flag {
	FEX_POLICY_TRUNK = 1 << 0, /* vlan_set holds what is allowed, vlan is the native one (0: none) */
	FEX_POLICY_GUARD = 1 << 1, /* only the port's own IP addresses */
	FEX_POLICY_MORE_MACS = 1 << 2, /* veths may name the port for other sources than its own */
	FEX_POLICY_RATE_IN = 1 << 3,
	FEX_POLICY_RATE_OUT = 1 << 4,
	FEX_POLICY_JUDGES_OUT = 1 << 5, /* it is on no list: what leaves by it is judged for it alone */
	FEX_POLICY_PRIORITY = 1 << 6, /* more is to be found out than what a frame's C-tag says */
	FEX_POLICY_TRUST_PCP = 1 << 7, /* with PRIORITY; neither of the two: a frame has `pcp` */
	FEX_POLICY_TRUST_DSCP = 1 << 8,
};

#define FEX_MARK 0x40 /* a DSCP below it is to be written */

/* What a profile asks, in words that cost nothing to look at. Index 0 is into the bridge, 1 is out of it. */
struct fex_policy {
	__u32 flags; /* enum fex_policy_flag */
	__u32 vlan_set; /* trunk: row of vlan_sets */
	__u16 vlan; /* access VLAN, or native VLAN of a trunk; 0: none */
	__u16 learn; /* how many sources a vEth may have beside those that are written */
	__u32 acl[2]; /* row of acls, 0 for none */
	__u8 pcp; /* of frames that have no priority to be believed */
	__u8 mark; /* FEX_MARK and a DSCP; 0: none */
	__u16 service; /* the VLAN of the service tag around all that comes and leaves; 0: none */
	struct fex_price octets[2];
	struct fex_price frames[2];
	__u64 digest; /* of all that the version stands for */
};

/* profiles: bridge, array. One store of `current` changes all ports that have the profile. */
struct fex_profile {
	__u8 current; /* which version, 0 or 1 */
	__u8 zero[7];
	struct fex_policy version[2];
};

/* Dimensions of an ACL: docs/design/policy.md. */
#define FEX_DIMENSIONS 10

/* A reference: a leaf and its vector, a run, or a node. */
#define FEX_LEAF (1u << 31)
#define FEX_RUN (1u << 30)
#define FEX_REFERENCE_MASK (FEX_RUN - 1)

/* acls: bridge, array */
struct fex_acl {
	__u32 rules;
	__u32 hits; /* the row of hits that is the first rule's; the one behind the last rule's is what denies the rest */
	__u32 permits; /* row of vectors: which rules permit */
	__u32 wide; /* it asks for MACs, EtherType, VLAN or TCP flags */
	__u32 root[FEX_DIMENSIONS];
	__u32 absent[FEX_DIMENSIONS];
	__u32 node, nodes, vector, vectors, run, runs; /* the rows that are its own */
};

/* acl_nodes: bridge, array */
struct fex_node {
	__u32 next[256];
};

/* acl_runs: bridge, array. The next octets of the key, in words; of a shorter run the mask has fewer. */
struct fex_run {
	__u64 octets[2];
	__u64 mask[2];
	__u32 length;
	__u32 equal;
	__u32 other;
	__u32 zero;
};

/* vectors: bridge, array. One bit a rule. */
struct fex_vector {
	__u64 word[16];
};

/* addresses: bridge, hash, value u32. IPv4 is mapped into IPv6 (RFC 4291, 2.5.5.2). */
struct fex_address {
	__u32 port;
	__u32 zero;
	__u8 octets[16];
};

/* memories: bridge, array, key = port. When all is paid for that has passed. Index 0 is into the bridge, 1 out of it. */
struct fex_memory {
	__u64 octets_due[2];
	__u64 frames_due[2];
	__u64 macs; /* how many sources have been learnt */
};

/* vlan_sets: bridge, array. One bit a VLAN. */
struct fex_vlan_set {
	__u64 bits[64];
};

/* veths: bridge, hash, key = struct fex_mac, value = port, and FEX_LEARNT if nobody wrote it. A vEth's MACs are its own on
 * the bridge, in every VLAN.
 */
#define FEX_LEARNT (1u << 31)

/* homes: bridge, array of u64: where a vEth is, found without a hash. A MAC's number (big-endian) times FEX_HOME_FACTOR,
 * modulo 2^48, gives its row in the upper 16 bits, and the lower 32 tell it from others that have the same row: they are
 * the upper half of the value, the lower is FEX_HOME and the port. One MAC a row; all others are in veths alone.
 */
#define FEX_HOME_FACTOR 0x9e3779b97f4bull
#define FEX_HOME (1u << 31)

/* stations: bridge, hash. What network ports have learnt. */
struct fex_station_key {
	__u8 mac[6];
	__u16 vlan;
} __attribute__((aligned(8)));

struct fex_station {
	__u64 seen_ns;
	__u32 port;
	__u32 epoch; /* settings.epoch when its source was last checked against veths */
};

/* floods: bridge, hash, key = scope << 12 | VLAN. Scope 0: from a vEth; else the network port's link, whose frames
 * reach only the vEths that are pinned to it. Bit n of a mask: uplink FEX_FIRST_UPLINK + n. */
struct fex_flood {
	__u64 any; /* uplinks with at least one member */
	__u64 many; /* uplinks with at least two: only then a sender on the list needs a copy on his own uplink */
	__u32 list;
	__u32 peers; /* scope 0: bit n: the peer port of link n takes what vEths send */
	__u32 judged; /* vEths that are on no list */
	__u32 series; /* of judged */
};

/* judged: bridge, hash, value = port */
struct fex_judged_key {
	__u32 scope; /* as in the key of floods */
	__u32 series; /* another one when the vEths are others, so that no frame meets some of both */
	__u32 number;
};

/* settings: bridge, array of one */
struct fex_settings {
	__u64 ageing_ns;
	__u32 epoch; /* grows with every change of veths */
	__u32 zero;
};

/* counters: array, key = CPU * rows a CPU + port. Octets without the channel's tag. A super-frame counts as its segments. */
struct fex_counters {
	__u64 in_frames[3]; /* enum fex_cast */
	__u64 in_octets;
	__u64 out_frames[3];
	__u64 out_octets;
};

enum fex_cast {
	FEX_CAST_UNICAST = 0,
	FEX_CAST_MULTICAST = 1,
	FEX_CAST_BROADCAST = 2,
};

/* drops: per-CPU hash, key below, value frames. Port FEX_ANY_PORT takes what a full table could not hold. */
#define FEX_ANY_PORT 0xffffffff
struct fex_drop_key {
	__u32 port; /* where the frame came in, or whose rules for what leaves dropped it */
	__u32 reason; /* enum fex_drop */
};

/* totals: per-CPU array, key = enum fex_total */
enum fex_total {
	FEX_TOTAL_REPLICATED = 0, /* copies beyond the first of each frame */
	FEX_TOTAL_LEARNT = 1,
	FEX_TOTAL_MOVED = 2,
	FEX_TOTAL_AGED = 3,
	FEX_TOTAL_NOT_LEARNT = 4, /* the table of stations was full: the frame went its way all the same */
	FEX_TOTAL_CONTROL = 5, /* frames handed to the node's own agent: no port counts them */
	FEX_TOTAL_ROWS = 8,
};

enum fex_drop {
	FEX_DROP_NONE = 0,
	FEX_DROP_TRUNCATED = 1,
	FEX_DROP_TOO_MANY_TAGS = 2,
	FEX_DROP_FORGED_TAG = 3,
	FEX_DROP_BPDU = 4,
	FEX_DROP_LINK_LOCAL = 5,
	FEX_DROP_NOT_IN_CHANNEL = 6,
	FEX_DROP_WRONG_DIRECTION = 7,
	FEX_DROP_BAD_TAG = 8,
	FEX_DROP_UNKNOWN_CHANNEL = 9,
	FEX_DROP_PORT_DOWN = 10,
	FEX_DROP_SPOOFED_SOURCE = 11,
	FEX_DROP_BAD_SOURCE = 12,
	FEX_DROP_VLAN_NOT_ALLOWED = 13,
	FEX_DROP_VLAN_MISMATCH = 14,
	FEX_DROP_OWN_SOURCE = 15,
	FEX_DROP_NOT_PINNED = 16,
	FEX_DROP_NETWORK_TO_NETWORK = 17,
	FEX_DROP_SAME_PORT = 18,
	FEX_DROP_UNKNOWN_LIST = 19,
	FEX_DROP_SOURCE_PRUNED = 20,
	FEX_DROP_NO_RECEIVER = 21,
	FEX_DROP_NOT_SENT = 22,
	FEX_DROP_UNREADABLE_HEADER = 23,
	FEX_DROP_SPOOFED_ADDRESS = 24,
	FEX_DROP_TOO_MANY_MACS = 25,
	FEX_DROP_ACL_IN = 26,
	FEX_DROP_ACL_OUT = 27,
	FEX_DROP_RATE_IN = 28,
	FEX_DROP_RATE_OUT = 29,
	FEX_DROP_REASONS = 30,
};

/* flows: the bench's generator, array. The heads of a flow's frames, Ethernet, IPv4 and UDP, and the row of the NIC that
 * they leave by.
 */
struct fex_flow {
	__u8 head[44];
	__u32 nic;
};

enum fex_verdict {
	FEX_VERDICT_DROP = 0,
	FEX_VERDICT_UP = 1, /* extender: into the uplink, in the port's own channel */
	FEX_VERDICT_DELIVER = 2, /* one port */
	FEX_VERDICT_REPLICATE = 3, /* extender: to the members of a list, but not to `source` */
	FEX_VERDICT_FLOOD =
		4, /* bridge: a copy an uplink of `uplinks` and a peer of `peers`, and one to `out` unless 0 */
	FEX_VERDICT_CONTROL = 5, /* signalling from an uplink: to the node's own agent */
};

/* What is to be done with a frame. The decision fills it, the shells act on it, the test build exports it. */
struct fex_decision {
	__u32 verdict; /* enum fex_verdict */
	__u32 reason; /* enum fex_drop */
	__u32 in; /* the port that the frame is counted on */
	__u32 out; /* the port it goes to */
	__u32 list; /* list id on the wire */
	__u32 source; /* channel that must not get the frame back (VN-Tag l=1, Ingress_E-CID), 0 for none */
	__u64 uplinks; /* FLOOD: mask of uplinks, the sender's own among them where it needs a copy */
	__u16 vlan; /* VLAN of the frame inside the bridge; on an extender 0, but with VEPA that it leaves in */
	__u16 tci; /* the VLAN tag to leave with if tagged; PCP and DEI are the frame's in any case */
	__u8 tagged; /* DELIVER, the network port's copy, or with VEPA UP: leave with a C-tag */
	__u8 not_learnt; /* counted with the frame: XDP may decide about it first, and pass it to tc uncounted */
	__u16 peers; /* FLOOD: bit n: the peer port of link n */
	__u32 at; /* DROP: the port it is counted on */
	__u32 judged; /* FLOOD: vEths that are judged alone */
	__u32 series; /* of judged */
	__u32 hit[2]; /* the row of hits, and 1; 0: no rule was asked */
	__u8 learns; /* its source is to be learnt as the vEth's */
	__u8 policy
		[2]; /* 2 and the version of the profile whose rates hold; 0: none. Index 0 into the bridge, 1 out of it */
	__u8 mark; /* as in fex_policy: to be written into the frame */
	__u16 service; /* DELIVER, or the network port's copy: the VLAN of the service tag to leave with */
	__u8 unwrapped; /* the service tag that it came with is off */
	__u8 version; /* of the profile that it came in by, and 2: it leaves by the same one if it does by that profile */
	__u8 zero[4];
};

/* traced: array of one. What a trace says of a frame. */
struct fex_trace {
	struct fex_decision decided;
	struct fex_decision settled; /* once rates have been asked and a source has found its place */
	__u64 now_ns; /* by the clock of rates */
};

enum fex_seen {
	FEX_SEEN_IN = 1 << 0,
	FEX_SEEN_OUT = 1 << 1,
	FEX_SEEN_DROPPED = 1 << 2,
};

/* capture: array of one. Who captures which port of the node. */
struct fex_capture {
	__u32 id; /* 0: nobody */
	__u32 port;
	__u32 kinds; /* enum fex_seen */
	__u32 snap; /* at most so many octets of a frame */
	__u64 lost; /* frames that found no room in the ring */
	__u64 asked_ns; /* when it was last seen that there still is a ring */
};

/* How a frame looks that leaves by the captured port. */
enum fex_leaves {
	FEX_LEAVES_AS_IS = 0, /* but for the channel's tag */
	FEX_LEAVES_UNTAGGED = 1, /* without its VLAN tag */
	FEX_LEAVES_TAGGED = 2, /* with a C-tag of `tci` in place of its own */
};

/* A record of the ring. `taken` octets of the frame follow, as they came in. */
struct fex_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 in; /* as in the decision */
	__u32 out; /* where there is one way to go */
	__u32 octets; /* of the frame, without a VLAN tag that is not in the octets */
	__u32 taken;
	__u16 vlan_tpid; /* that VLAN tag; 0: none */
	__u16 vlan_tci;
	__u16 tci; /* as in the decision */
	__u8 verdict; /* enum fex_verdict */
	__u8 reason; /* enum fex_drop */
	__u8 seen; /* enum fex_seen */
	__u8 leaves; /* enum fex_leaves */
	__u8 late; /* dropped after its verdict: the octets are as they were then */
	__u8 mark; /* as in the decision */
	__u16 service; /* of the captured port */
	__u8 unwrapped; /* as in the decision */
	__u8 zero;
};

#endif
