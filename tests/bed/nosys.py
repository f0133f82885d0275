#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nosys.py SYSCALL... -- CMD... - run CMD on a kernel that does not know these system calls (x86-64)."""
import ctypes
import os
import struct
import sys

NUMBERS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
           "pidfd_open": 434, "openat2": 437, "pidfd_getfd": 438, "mount_setattr": 442}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO_ENOSYS = 0x7FFF0000, 0x00050000 | 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


def main(argv):
    split = argv.index("--")
    program = [(LOAD, 0, 0, 0)]
    for name in argv[:split]:
        program += [(EQUAL, 0, 1, NUMBERS[name]), (RETURN, 0, 0, ERRNO_ENOSYS)]
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("HBBI", *op) for op in program)
    buffer = ctypes.create_string_buffer(code)
    fprog = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(fprog), 0, 0):
        sys.exit("nosys: " + os.strerror(ctypes.get_errno()))
    os.execvp(argv[split + 1], argv[split + 1:])


if __name__ == "__main__":
    if "--" not in sys.argv:
        sys.exit(__doc__)
    main(sys.argv[1:])
