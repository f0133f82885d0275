#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memscan.py PID FILE... - is the contents of a FILE, as it is or in hex digits, in the memory of process PID?

Looked at: all that it can read, and the files without names (memfd) among its descriptors. Each place is a line; the
exit status is 1 if there is one, 0 if there is none, 2 if it could not be looked at.
"""
import os
import pathlib
import sys

CHUNK = 1 << 22
SHADOW = 1 << 40  # a mapping this large is AddressSanitizer's, which holds no copies


def pieces(read, start, end, overlap):
    """(address, bytes) from start to end, each beginning with the tail of the one before."""
    tail = b""
    while start < end:
        try:
            data = read(start, min(CHUNK, end - start))
        except OSError:
            return  # a device, or memory that nobody has touched
        if not data:
            return
        yield start - len(tail), tail + data
        tail = (tail + data)[-overlap:]
        start += len(data)


def memory(pid):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            fields = line.split(maxsplit=5)
            start, end = (int(a, 16) for a in fields[0].split("-"))
            if fields[1][0] != "r" or fields[-1] in ("[vvar]", "[vsyscall]") or end - start >= SHADOW:
                continue
            yield fields[5] if len(fields) > 5 else "memory", start, end, (lambda off, n: os.pread(mem.fileno(), n, off))


def nameless(pid):
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if not os.readlink(link).startswith("/memfd:"):
            continue
        fd = os.open(link, os.O_RDONLY)
        yield os.readlink(link), 0, os.fstat(fd).st_size, (lambda off, n, fd=fd: os.pread(fd, n, off))
        os.close(fd)


def main():
    pid, secrets = int(sys.argv[1]), [pathlib.Path(f).read_bytes() for f in sys.argv[2:]]
    forms = [form for s in secrets for form in (s, s.hex().encode())]
    found, looked = False, 0
    for places in (memory(pid), nameless(pid)):
        for name, start, end, read in places:
            for at, data in pieces(read, start, end, max(map(len, forms))):
                looked += len(data)
                for form in forms:
                    if form in data:
                        print(f"{pid}: at {at + data.index(form):#x} of {name}")
                        found = True
    return 2 if not looked else 1 if found else 0


sys.exit(main())
