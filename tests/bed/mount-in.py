#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mount-in.py PID tmpfs PATH | PID shared PATH | PID binds DIR COUNT - mount in the mount namespace of a process.

The tree there may have no program at all, so this one is loaded before it enters.
"""
import ctypes
import os
import sys

MS_BIND = 4096
MS_REC = 16384
MS_SHARED = 1 << 20
CLONE_NEWNS = 0x20000


def main(pid, what, path, count="0"):
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source, target, kind, flags):
        if libc.mount(source.encode(), target.encode(), kind.encode(), flags, None):
            error = ctypes.get_errno()
            sys.exit(f"mount-in: {target!r}: {os.strerror(error)}")

    root = os.open(f"/proc/{pid}/root", os.O_PATH)
    fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNS):
        sys.exit("mount-in: setns: " + os.strerror(ctypes.get_errno()))
    os.fchdir(root)
    os.chroot(".")
    if what == "tmpfs":
        mount("tmpfs", path, "tmpfs", 0)
        return
    if what == "shared":
        mount("none", path, "none", MS_REC | MS_SHARED)
        return
    for i in range(int(count)):
        mount(path, path, "none", MS_BIND)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
