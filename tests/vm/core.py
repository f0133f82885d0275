# SPDX-License-Identifier: MIT
"""core - a core of a machine's memory, read as a debugger does: by its own headers."""
import struct

PAGE = 4096
PT_LOAD, PT_NOTE, NT_PRSTATUS = 1, 4, 1


class Core:
    def __init__(self, data):
        self.data = data
        phoff, = struct.unpack_from("<Q", data, 32)
        phnum, = struct.unpack_from("<H", data, 56)
        headers = [struct.unpack_from("<IIQQQQQQ", data, phoff + i * 56) for i in range(phnum)]
        self.notes = [n for h in headers if h[0] == PT_NOTE for n in self.read_notes(h[2], h[5])]
        # (virtual, physical, offset, size)
        self.loads = [(h[3], h[4], h[2], h[5]) for h in headers if h[0] == PT_LOAD]

    def read_notes(self, at, size):
        end = at + size
        while at + 12 <= end:
            name_size, desc_size, kind = struct.unpack_from("<III", self.data, at)
            name = at + 12
            desc = name + (name_size + 3) // 4 * 4
            yield self.data[name:name + name_size].rstrip(b"\0").decode(), kind, self.data[desc:desc + desc_size]
            at = desc + (desc_size + 3) // 4 * 4

    def note(self, name):
        return [desc for n, _, desc in self.notes if n == name]

    def info(self):
        """VMCOREINFO as a dictionary."""
        text = b"".join(self.note("VMCOREINFO")).rstrip(b"\0").decode("latin1")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def read(self, virtual, size):
        for address, _, offset, length in self.loads:
            if address and address <= virtual and virtual + size <= address + length:
                return self.data[offset + virtual - address:offset + virtual - address + size]
        raise KeyError(f"{virtual:#x} is in no segment")

    def u64(self, virtual):
        return struct.unpack("<Q", self.read(virtual, 8))[0]
