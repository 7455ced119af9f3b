# SPDX-License-Identifier: Apache-2.0
"""The door to libbpf against a real kernel: objects made here by clang, bpftool as a second opinion."""

from __future__ import annotations

import os
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.errors import InputError, KernelError, NotFoundError
from openfex.linux import libbpf_map, netns
from openfex.linux.libbpf import (
    Map,
    MapType,
    Object,
    Program,
    bpf_filesystem,
    counting_time,
    map_ids_of_program,
    possible_cpus,
    program_by_id,
    verify,
)
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket
from openfex.linux.sysctl import sysctl
from tests.bpf.sample import bpftool, compile_object, u32

pytestmark = pytest.mark.root
NAME = "fex-test-libbpf"
DEADLINE_S = 5.0
FRAME = bytes(12) + b"\x88\xb5" + bytes(range(50))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_object(tmp_path_factory.mktemp("bpf"), "sample")


@pytest.fixture
def loaded(file: Path) -> Iterator[Object]:
    with Object.load(file) as found:
        yield found


@pytest.fixture
def pins() -> Iterator[Path]:
    folder = bpf_filesystem() / "fex-test-libbpf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def wire() -> Iterator[Netlink]:
    """A veth pair a-b in a name space of its own, without any chatter of the stack."""
    netns.delete(NAME)
    netns.create(NAME)
    sysctl(NAME, "net.ipv6.conf.default.disable_ipv6", 1)
    with Netlink(NAME) as netlink:
        netlink.add_veth("a", "b", mtu=1500, up=True)
        netlink.set("b", up=True)
        assert netlink.wait_ready(["a", "b"], DEADLINE_S) == []
        yield netlink
    netns.delete(NAME)


def test_maps_and_programs_have_the_names_of_the_source(loaded: Object) -> None:
    assert set(loaded.programs) == {"note_classid", "count_and_pass", "send_back"}
    assert {"plain", "each", "hashed", "a_name_longer_than_fifteen"} <= set(loaded.maps)
    assert loaded.map(".bss").get(u32(0)) == bytes(8)
    with pytest.raises(NotFoundError):
        loaded.map("nope")
    with pytest.raises(NotFoundError):
        loaded.program("nope")


@pytest.mark.interop
def test_bpftool_sees_the_same_map(loaded: Object) -> None:
    one = loaded.map("hashed")
    said = bpftool("map", "show", "id", str(one.id))
    assert (said["type"], said["bytes_key"], said["bytes_value"], said["max_entries"]) == ("hash", 8, 4, 100)
    assert (one.type, one.key_size, one.value_size, one.max_entries) == (MapType.HASH, 8, 4, 100)


@pytest.mark.interop
def test_bpftool_sees_the_same_program(loaded: Object) -> None:
    one = loaded.program("note_classid")
    said = bpftool("prog", "show", "id", str(one.id))
    assert (said["type"], said["name"], said["bytes_xlated"]) == ("sched_cls", "note_classid", one.instructions * 8)
    assert one.map_ids() == map_ids_of_program(one.id)
    assert list(one.map_ids()) == said["map_ids"]
    assert set(one.map_ids()) >= {loaded.map(name).id for name in ("plain", "each")}
    assert 0 < one.verified_instructions < 1000
    with program_by_id(one.id) as again:
        assert (again.name, again.type, again.id) == (one.name, one.type, one.id)


def test_what_does_not_exist_is_not_found() -> None:
    for ask in (
        lambda: program_by_id(0x7FFFFFFF),
        lambda: Map.by_id(0x7FFFFFFF),
        lambda: Map.pinned(bpf_filesystem() / "fex-test-nothing"),
        lambda: Program.pinned(bpf_filesystem() / "fex-test-nothing"),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_the_end_of_the_verifiers_log_is_in_the_error(tmp_path: Path) -> None:
    path = compile_object(tmp_path, "careless", "-DOUT_OF_BOUNDS")
    with pytest.raises(KernelError, match="invalid access to packet") as refused:
        Object.load(path)
    assert "careless" in str(refused.value)
    assert len(refused.value.message.splitlines()) <= 16
    with Object.load(path, only=["send_back"]) as loaded:
        assert set(loaded.programs) == {"send_back"}


def test_who_only_has_programs_verified_gets_the_same_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="invalid access to packet") as refused:
        verify(compile_object(tmp_path, "careless", "-DOUT_OF_BOUNDS"))
    assert len(refused.value.message.splitlines()) <= 16


def test_what_the_verifier_says_of_a_program(file: Path, loaded: Object) -> None:
    found = verify(file)
    assert set(found) == set(loaded.programs)
    for name, one in found.items():
        program = loaded.program(name)
        assert (one.steps, one.instructions) == (program.verified_instructions, program.instructions)
        assert len(one.code) % 8 == 0
        assert len(one.frames) == 1


def test_files_that_are_no_objects(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="No such file"):
        Object.load(tmp_path / "nothing.o")
    (tmp_path / "text.o").write_text("not an ELF file")
    with pytest.raises(KernelError, match=r"cannot open .*text\.o"):
        Object.load(tmp_path / "text.o")


def test_maps_are_sized_and_left_out(file: Path) -> None:
    with Object.load(file, max_entries={"plain": 300_000, "hashed": 7}, skip_maps=["recent", "routes"]) as loaded:
        assert (loaded.map("plain").max_entries, loaded.map("hashed").max_entries) == (300_000, 7)
        assert not {"recent", "routes"} & set(loaded.maps)


@pytest.mark.parametrize(
    "options", [{"max_entries": {"nope": 1}}, {"skip_maps": ["nope"]}, {"only": ["nope"]}, {"constants": {"nope": 1}}]
)
def test_options_about_what_the_file_has_not_are_refused(file: Path, options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="nope"):
        Object.load(file, **options)  # type: ignore[arg-type]


def test_constants_are_set_before_the_program_is_loaded(file: Path) -> None:
    with Object.load(file, constants={"limit": 0xFFFFFFFF, "offset": -2, "seen": struct.pack("=Q", 40)}) as loaded:
        loaded.program("note_classid").test_run(FRAME)
        assert loaded.map("plain").get(u32(0)) == struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFE)
        assert loaded.map(".bss").get(u32(0)) == struct.pack("=Q", 41)
    with pytest.raises(InputError, match="4 octets, not 3"):
        Object.load(file, constants={"limit": b"abc"})


def test_entries_are_put_got_and_deleted(loaded: Object) -> None:
    one, key = loaded.map("hashed"), struct.pack("=Q", 5)
    assert one.get(key) is None
    one.put(key, u32(1))
    one.put(key, u32(2))
    assert one.get(key) == u32(2)
    assert (one.delete(key), one.delete(key), one.get(key)) == (True, False, None)
    assert loaded.map("plain").get(u32(10)) is None
    with pytest.raises(KernelError, match="cannot delete from map plain"):
        loaded.map("plain").delete(u32(0))


def test_keys_and_values_of_a_wrong_length_never_reach_the_kernel(loaded: Object) -> None:
    one = loaded.map("hashed")
    with pytest.raises(InputError, match="has 8 octets, not 4"):
        one.get(u32(1))
    with pytest.raises(InputError, match="has 4 octets, not 8"):
        one.put(bytes(8), bytes(8))
    with pytest.raises(InputError):
        one.put_many([(bytes(8), bytes(4)), (bytes(8), bytes(3))])
    assert list(one.items()) == []


@pytest.mark.parametrize(("name", "count"), [("hashed", 5000), ("recent", 90), ("routes", 50)])
def test_many_entries_at_once_in_maps_with_keys(file: Path, name: str, count: int) -> None:
    with Object.load(file, max_entries={"hashed": 5000}) as loaded:
        one = loaded.map(name)
        head = u32(32) if name == "routes" else b""
        size = one.key_size - len(head)
        entries = {head + number.to_bytes(size, sys.byteorder): u32(number) for number in range(count)}
        one.put_many(list(entries.items()))
        assert dict(one.items()) == entries
        assert len(list(one.items())) == count
        assert set(one.keys()) == set(entries)


def test_maps_larger_than_one_batch(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libbpf_map, "_BATCH_OCTETS", 1)
    with Object.load(file, max_entries={"hashed": 5000, "plain": 300}) as loaded:
        entries = {struct.pack("=Q", number): u32(number) for number in range(5000)}
        loaded.map("hashed").put_many(list(entries.items()))
        assert dict(loaded.map("hashed").items()) == entries
        assert list(loaded.map("plain").items()) == [(u32(number), bytes(12)) for number in range(300)]


def test_a_full_map_says_so(loaded: Object) -> None:
    one = loaded.map("hashed")
    with pytest.raises(KernelError, match="write entry 100 of 101 to map hashed") as full:
        one.put_many([(struct.pack("=Q", n), u32(n)) for n in range(101)])
    assert full.value.errno == 7
    assert len(list(one.items())) == 100


def test_an_empty_map_has_no_items(loaded: Object) -> None:
    for name in ("hashed", "hashed_each", "recent", "routes"):
        assert list(loaded.map(name).items()) == []
        assert list(loaded.map(name).keys()) == []
    loaded.map("hashed").put_many([])


def test_an_array_is_read_in_stretches(file: Path) -> None:
    with Object.load(file, max_entries={"plain": 1000}) as loaded:
        one = loaded.map("plain")
        rows = [struct.pack("=III", n, n * n, 7) for n in range(1000)]
        one.put_many([(u32(n), row) for n, row in enumerate(rows)])
        assert one.range(0, 1000) == b"".join(rows)
        assert one.range(1, 1) == rows[1]
        assert one.range(998, 2) == rows[998] + rows[999]
        assert one.range(500, 0) == b""
        assert list(one.items()) == [(u32(n), row) for n, row in enumerate(rows)]
        assert list(one.keys()) == [u32(n) for n in range(1000)]
        for first, count in ((-1, 1), (999, 2), (1000, 1)):
            with pytest.raises(InputError):
                one.range(first, count)
        with pytest.raises(InputError):
            loaded.map("hashed").range(0, 1)


def test_per_cpu_values_are_rows_of_eight_octets_a_cpu(loaded: Object) -> None:
    one, cpus = loaded.map("each"), possible_cpus()
    assert (one.value_size, one.row_size) == (4, 8 * cpus)
    row = b"".join(struct.pack("=II", cpu + 1, 0) for cpu in range(cpus))
    one.put_many([(u32(3), row), (u32(4), row)])
    assert one.get(u32(3)) == row
    assert one.get_percpu(u32(3)) == [u32(cpu + 1) for cpu in range(cpus)]
    assert one.range(2, 3) == bytes(len(row)) + row + row
    assert dict(one.items())[u32(4)] == row
    with pytest.raises(InputError):
        one.put(u32(0), u32(1))
    with pytest.raises(InputError):
        loaded.map("plain").get_percpu(u32(0))


def test_per_cpu_values_with_keys(loaded: Object) -> None:
    one, cpus = loaded.map("hashed_each"), possible_cpus()
    assert (one.value_size, one.row_size) == (12, 16 * cpus)
    rows = {u32(n): b"".join(struct.pack("=IIII", n, cpu, 9, 0) for cpu in range(cpus)) for n in range(100)}
    one.put_many(list(rows.items()))
    assert dict(one.items()) == rows
    assert one.get_percpu(u32(5)) == [struct.pack("=III", 5, cpu, 9) for cpu in range(cpus)]
    assert one.get_percpu(u32(100)) is None


def test_every_cpu_counts_for_itself(loaded: Object) -> None:
    home = os.sched_getaffinity(0)
    program, one = loaded.program("note_classid"), loaded.map("each")
    for cpu in home:
        try:
            os.sched_setaffinity(0, {cpu})
            for _ in range(cpu + 1):
                program.test_run(FRAME)
        finally:
            os.sched_setaffinity(0, home)
    assert one.get_percpu(u32(0)) == [u32(cpu + 1 if cpu in home else 0) for cpu in range(possible_cpus())]


@pytest.mark.interop
def test_pins_keep_maps_and_programs(file: Path, pins: Path) -> None:
    with Object.load(file) as loaded:
        loaded.map("a_name_longer_than_fifteen").pin(pins / "map")
        loaded.map("a_name_longer_than_fifteen").put(u32(2), struct.pack("=Q", 99))
        loaded.program("send_back").pin(pins / "program")
        with pytest.raises(KernelError, match="File exists"):
            loaded.program("send_back").pin(pins / "program")
    assert bpftool("map", "show", "pinned", str(pins / "map"))["name"] == "a_name_longer_t"
    with Map.pinned(pins / "map") as one, Program.pinned(pins / "program") as program:
        assert (one.get(u32(2)), one.name, program.name) == (struct.pack("=Q", 99), "a_name_longer_t", "send_back")


def test_a_pinned_map_is_reused_by_the_next_load(file: Path, pins: Path) -> None:
    with Object.load(file, max_entries={"hashed": 500}) as first:
        first.map("hashed").pin(pins / "hashed")
        first.map("hashed").put(bytes(8), u32(7))
    with Object.load(file, reuse={"hashed": pins / "hashed"}) as second:
        assert (second.map("hashed").max_entries, second.map("hashed").get(bytes(8))) == (500, u32(7))
    with pytest.raises(KernelError) as refused:
        Object.load(file, reuse={"recent": pins / "hashed"})
    assert refused.value.code == "map-differs"
    with pytest.raises(NotFoundError):
        Object.load(file, reuse={"hashed": pins / "nothing"})


def test_nothing_stays_behind(file: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    Object.load(file).close()
    before = descriptors()
    with Object.load(file) as loaded:
        number = loaded.program("send_back").id
        assert descriptors() > before
    assert descriptors() == before
    loaded.close()
    with pytest.raises(NotFoundError):
        program_by_id(number)
    verify(file)
    assert descriptors() == before


def test_a_run_gives_verdict_octets_and_context(loaded: Object) -> None:
    done = loaded.program("note_classid").test_run(FRAME, context=bytes(192), repeat=10)
    assert (done.retval, done.data) == (2, FRAME)
    assert struct.unpack_from("=I", done.context, 8) == (77,)
    assert done.duration_ns > 0
    assert loaded.program("send_back").test_run(bytes(9000), room=64).data == bytes(9000)
    with pytest.raises(KernelError, match="cannot run note_classid on a frame of 3 octets"):
        loaded.program("note_classid").test_run(b"abc")


def test_runs_and_their_time_are_counted_while_somebody_asks_for_it() -> None:
    with Program.trivial() as program, counting_time():
        program.test_run(bytes(14), repeat=3)
        info = program.info()
    assert info.run_count == 3
    assert info.run_time_ns > 0


def test_a_run_refuses_a_classid(loaded: Object) -> None:
    """Where skb->tc_classid matters, a test run cannot set it."""
    context = bytearray(192)
    struct.pack_into("=I", context, 72, 5)
    with pytest.raises(KernelError, match="Invalid argument"):
        loaded.program("note_classid").test_run(FRAME, context=bytes(context))


def test_live_frames_come_in_on_a_link(loaded: Object, wire: Netlink) -> None:
    program = loaded.program("count_and_pass")
    with netns.entered(NAME), PacketSocket("a") as door:
        program.send_live(FRAME, ifindex=wire.index("a"), repeat=100, batch=16)
        assert [door.receive(DEADLINE_S) for _ in range(100)] == [FRAME] * 100
        with pytest.raises(KernelError, match="cannot send 1 frames"):
            program.send_live(FRAME, ifindex=9999, repeat=1)
    counts = loaded.map("each").get_percpu(u32(1))
    assert counts is not None
    assert sum(struct.unpack("=I", one)[0] for one in counts) == 100


@pytest.mark.parametrize("classid", [0, 1, 5 << 12 | 7, 0xFFFF])
def test_a_program_reads_the_classid_of_the_filter_it_runs_for(loaded: Object, wire: Netlink, classid: int) -> None:
    wire.add_clsact("a")
    wire.attach("a", loaded.program("note_classid").fd, label="fex-test", classid=classid)
    assert classid_noted(loaded) == classid


@pytest.mark.interop
def test_a_program_sees_only_16_bits_of_a_classid(loaded: Object, wire: Netlink, pins: Path) -> None:
    """Why `attach` refuses larger numbers: tc takes them, and the program sees another."""
    loaded.program("note_classid").pin(pins / "program")
    what = ["object-pinned", str(pins / "program"), "classid", "1234:5678"]
    wire.add_clsact("a")
    netns.run(NAME, ["tc", "filter", "add", "dev", "a", "ingress", "bpf", "da", *what], check=True)
    assert wire.filters("a")[0].classid == 0x12345678
    assert classid_noted(loaded) == 0x5678


def classid_noted(loaded: Object) -> int:
    """What the program at the ingress of link a notes when a frame comes in."""
    one, before = loaded.map("plain"), b"\xee" * 12
    one.put(u32(0), before)
    with PacketSocket("b", netns=NAME) as sender:
        sender.send(FRAME)
    end = time.monotonic() + DEADLINE_S
    while (row := one.get(u32(0))) == before and time.monotonic() < end:
        continue
    assert row is not None
    return int(struct.unpack_from("=I", row)[0])
