#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tables.py FILE [KIND] - what a kernel has of itself, without a kernel: symbols, types, processes, modules and a log.

For minivmm tables=FILE, whose guest has it at AT. KIND is what is wrong with it:

    tasks, modules      lead back into themselves, and not to their beginning
    log                 as many records as can be, of the same text, which is all of the buffer
    symbols             names that never end
    types               members that contain themselves
"""
import struct
import sys

AT = 0xffffffff81010000
SIZE = 0x1f0000
TYPES, SYMBOLS, DATA = 0x10000, 0x40000, 0x80000
FILLERS = 5600  # structures; a description of a kernel's types has 64 KiB at least
NAMELESS = 1200  # symbols; a kernel has a thousand at least


class Image:
    def __init__(self):
        self.bytes = bytearray(SIZE)
        self.end = DATA

    def put(self, offset, data):
        assert offset + len(data) <= SIZE
        self.bytes[offset:offset + len(data)] = data

    def word(self, offset, value, size=8):
        self.put(offset, value.to_bytes(size, "little"))

    def room(self, size):
        """An offset with as much room."""
        self.end += size + -size % 64
        return self.end - size - -size % 64


class Types:
    """BTF (Documentation/bpf/btf.rst)."""
    INT, PTR, ARRAY, STRUCT = 1, 2, 3, 4

    def __init__(self):
        self.types, self.count, self.strings = bytearray(), 0, bytearray(1)

    def string(self, text):
        if not text:
            return 0
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text) - 1

    def add(self, name, kind, n, size, *rest):
        self.types += struct.pack("<III", self.string(name), kind << 24 | n, size) + b"".join(rest)
        self.count += 1
        return self.count

    def integer(self, size):
        return self.add("", self.INT, 0, size, struct.pack("<I", 8 * size))

    def array(self, element, n):
        return self.add("", self.ARRAY, 0, 0, struct.pack("<III", element, 1, n))

    def struct(self, name, size, members):
        """members: (name, type, offset in bytes)"""
        packed = [struct.pack("<III", self.string(m), t, 8 * at) for m, t, at in members]
        return self.add(name, self.STRUCT, len(members), size, *packed)

    def blob(self):
        return struct.pack("<IIIIII", 0x1eb9f, 24, 0, len(self.types), len(self.types), len(self.strings)) + self.types + self.strings


def make_types(kind):
    t = Types()
    u8, u16, u32, u64 = (t.integer(n) for n in (1, 2, 4, 8))
    comm, name = t.array(u8, 16), t.array(u8, 56)
    head = t.struct("list_head", 16, [("next", u64, 0), ("prev", u64, 8)])
    t.struct("task_struct", 192, [("tasks", head, 0), ("pid", u32, 16), ("tgid", u32, 20), ("comm", comm, 24), ("__state", u64, 40),
                                  ("exit_state", u32, 48), ("flags", u32, 52), ("real_parent", u64, 56), ("cred", u64, 64), ("mm", u64, 72),
                                  ("signal", u64, 80)])
    t.struct("cred", 8, [("uid", u32, 4)])
    t.struct("mm_struct", 24, [("pgd", u64, 0), ("arg_start", u64, 8), ("arg_end", u64, 16)])
    ring = t.struct("prb_desc_ring", 40, [("count_bits", u32, 0), ("descs", u64, 8), ("infos", u64, 16), ("head_id", u64, 24), ("tail_id", u64, 32)])
    text = t.struct("prb_data_ring", 16, [("size_bits", u32, 0), ("data", u64, 8)])
    t.struct("printk_ringbuffer", 56, [("desc_ring", ring, 0), ("text_data_ring", text, 40)])
    place = t.struct("prb_data_blk_lpos", 16, [("begin", u64, 0), ("next", u64, 8)])
    t.struct("prb_desc", 24, [("state_var", u64, 0), ("text_blk_lpos", place, 8)])
    t.struct("printk_info", 24, [("seq", u64, 0), ("ts_nsec", u64, 8), ("text_len", u16, 16), ("facility", u8, 18), ("level", u8, 19)])
    t.struct("module", 128, [("state", u32, 0), ("list", head, 8), ("name", name, 24), ("refcnt", u32, 80), ("source_list", head, 88)])
    t.struct("module_use", 32, [("source_list", head, 0), ("source", u64, 16)])
    for _ in range(FILLERS):
        t.struct("", 0, [])
    if kind == "types":  # every member of the first one has no name, and is the structure
        t = Types()
        loop = t.count + 1
        t.struct("task_struct", 8, [("", loop, 0)] * 4000)
        for _ in range(FILLERS):
            t.struct("", 0, [])
    return t.blob()


def make_symbols(image, named, kind):
    """kallsyms as of Linux 6.4: names are spelled, token N is the character N."""
    symbols = sorted([(at, "D" + name) for name, at in named.items()] + [(AT + SIZE - 2 * NAMELESS + i, f"t__{i}") for i in range(NAMELESS)])
    at, markers, base = SYMBOLS, [], symbols[0][0]
    image.word(at, len(symbols) + (kind == "symbols" and 100000), 4)
    names = at = at + 8
    for i, (_, name) in enumerate(symbols):
        if i % 256 == 0:
            markers.append(at - names)
        image.put(at, bytes([len(name)]) + name.encode())
        at += len(name) + 1
    at += -at % 8
    image.put(at, struct.pack(f"<{len(markers)}I", *markers))
    at += 4 * len(markers)
    at += -at % 8
    image.put(at, b"".join(bytes([i or 63, 0]) for i in range(256)))
    image.put(at + 512, struct.pack("<256H", *range(0, 512, 2)))
    at += 1024
    image.put(at, b"".join(struct.pack("<I", (base - 1 - a) & 0xffffffff) for a, _ in symbols))
    at += 4 * len(symbols)
    at += -at % 8
    image.word(at, base)


def make_tasks(image, kind):
    names = ["swapper/0", "init", "bad\033[31m", "last"]
    at, cred = [image.room(192) for _ in names], image.room(8)
    image.word(cred + 4, 1000, 4)
    for i, name in enumerate(names):
        after = at[1] if kind == "tasks" and i == 3 else at[(i + 1) % 4]
        image.word(at[i], AT + after)
        image.word(at[i] + 16, i, 4)
        image.word(at[i] + 20, i, 4)
        image.put(at[i] + 24, name.encode())
        image.word(at[i] + 40, 1)
        image.word(at[i] + 56, AT + at[0])
        image.word(at[i] + 64, AT + cred)
    return AT + at[0]


def make_modules(image, kind):
    head, first, second = image.room(16), image.room(128), image.room(128)
    for at, after, name in ((first, second + 8, "first"), (second, first + 8 if kind == "modules" else head, "second")):
        image.word(at + 8, AT + after)
        image.put(at + 24, name.encode())
        image.word(at + 80, 1, 4)
        image.word(at + 88, AT + at + 88)
    image.word(head, AT + first + 8)
    return AT + head


def make_log(image, kind):
    bits = 13 if kind == "log" else 3
    n = 1 << bits
    pointer, prb = image.room(8), image.room(56)
    descs, infos, text = image.room(24 * n), image.room(24 * n), image.room(4096)
    image.word(pointer, AT + prb)
    for offset, value, size in ((0, bits, 4), (8, AT + descs, 8), (16, AT + infos, 8), (24, n - 1 if kind == "log" else 2, 8),
                                (40, 12, 4), (48, AT + text, 8)):
        image.word(prb + offset, value, size)
    for i in range(n):
        line = b"x" * 1000 if kind == "log" else b"line %d of the guest" % i
        begin = 0 if kind == "log" else 64 * i
        image.put(descs + 24 * i, struct.pack("<QQQ", i | 2 << 62, begin, begin + (1024 if kind == "log" else 64)))
        image.put(infos + 24 * i, struct.pack("<QQHBB", i, i * 10**9, len(line), 0, 6))
        image.put(text + begin + 8, line)
    return AT + pointer


def main():
    kind = sys.argv[2] if len(sys.argv) > 2 else ""
    image = Image()
    image.put(TYPES, make_types(kind))
    named = {"_text": AT - 0x10000, "init_task": make_tasks(image, kind), "modules": make_modules(image, kind), "prb": make_log(image, kind)}
    make_symbols(image, named, kind)
    with open(sys.argv[1], "wb") as f:
        f.write(image.bytes)


main()
