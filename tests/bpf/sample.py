# SPDX-License-Identifier: Apache-2.0
"""The object that the door to libbpf is tried with, made here by clang, and bpftool's word on it."""

from __future__ import annotations

import json
import platform
import struct
import subprocess
from pathlib import Path

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAP(name, kind, key_t, value_t, count) \\
    struct { __uint(type, kind); __type(key, key_t); __type(value, value_t); __uint(max_entries, count); } \\
    name SEC(".maps")

struct row { __u32 a; __u32 b; __u32 c; };
struct prefix { __u32 length; __u32 address; };

MAP(plain, BPF_MAP_TYPE_ARRAY, __u32, struct row, 10);
MAP(each, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u32, 10);
MAP(hashed, BPF_MAP_TYPE_HASH, __u64, __u32, 100);
MAP(hashed_each, BPF_MAP_TYPE_PERCPU_HASH, __u32, struct row, 100);
MAP(recent, BPF_MAP_TYPE_LRU_HASH, __u32, __u32, 100);
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __type(key, struct prefix);
    __type(value, __u32);
    __uint(max_entries, 100);
    __uint(map_flags, BPF_F_NO_PREALLOC);
} routes SEC(".maps");
MAP(a_name_longer_than_fifteen, BPF_MAP_TYPE_ARRAY, __u32, __u64, 4);

const volatile __u32 limit = 3;
const volatile __s16 offset = 4;
__u64 seen = 0;

SEC("tc")
int note_classid(struct __sk_buff *skb)
{
    __u32 key = 0;
    struct row row = {skb->tc_classid, limit, (__u32)offset};

    bpf_map_update_elem(&plain, &key, &row, BPF_ANY);
    __u32 *count = bpf_map_lookup_elem(&each, &key);
    if (count)
        *count += 1;
    seen += 1;
    skb->mark = 77;
    return 2;
}

SEC("xdp")
int count_and_pass(struct xdp_md *ctx)
{
    __u32 key = 1;
    __u32 *count = bpf_map_lookup_elem(&each, &key);

    if (count)
        *count += 1;
    return XDP_PASS;
}

SEC("xdp")
int send_back(struct xdp_md *ctx)
{
    return XDP_TX;
}

#ifdef OUT_OF_BOUNDS
SEC("tc")
int careless(struct __sk_buff *skb)
{
    return *((char *)(long)skb->data + 3);
}
#endif

char _license[] SEC("license") = "GPL";
"""


def compile_object(folder: Path, name: str, *flags: str) -> Path:
    """Compile SOURCE into a folder."""
    source, target = folder / f"{name}.bpf.c", folder / f"{name}.bpf.o"
    source.write_text(SOURCE)
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    argv = ["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", include, *flags]
    subprocess.run([*argv, "-c", str(source), "-o", str(target)], check=True)
    return target


def u32(number: int) -> bytes:
    return struct.pack("=I", number)


def bpftool(*words: str) -> dict[str, object]:
    said = subprocess.run(["bpftool", "--json", *words], capture_output=True, text=True, check=True).stdout
    found: dict[str, object] = json.loads(said)
    return found
