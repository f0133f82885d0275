#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tree-race.py BACK MNT OUTSIDE SECONDS - one process exchanges names in the directory BACK, others use it through its mount MNT.

Directories become symbolic links to OUTSIDE, files become links to a file there, FIFOs and devices. The users' root is MNT, where the
links lead nowhere: only the server of the mount could follow them. inotify watches OUTSIDE, the FIFO and the device: neither may be
opened, read or changed by anybody, and no user may wait for long.
"""
import ctypes
import errno
import os
import pathlib
import random
import select
import signal
import stat
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
EXCHANGE = 2
IN_ACCESS, IN_MODIFY, IN_OPEN, IN_ALL_EVENTS, IN_NONBLOCK = 0x1, 0x2, 0x20, 0xFFF, os.O_NONBLOCK
PATIENCE_S = 120  # only what hangs takes so long
FILE = b"inside\n"
# What each of the clients does with a file (or whatever stands there by then) in a directory.
EXPECTED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ESTALE, errno.EEXIST, errno.EINVAL, errno.ENXIO, errno.EPERM,
            errno.EIO, errno.ENOTEMPTY, errno.EXDEV, errno.ENODATA, errno.EACCES, errno.ESPIPE, errno.EAGAIN, errno.ENODEV, errno.EOPNOTSUPP)


def make_tree(back, outside):
    (outside / "e").mkdir(parents=True)
    for path in (outside / "f", outside / "e/f"):
        path.write_bytes(b"outside\n")
    (back / "d/e").mkdir(parents=True)
    for path in (back / "f", back / "d/f", back / "d/e/f"):
        path.write_bytes(FILE)
    os.symlink(outside, back / "dir-link")
    os.symlink(outside / "f", back / "file-link")
    os.symlink(outside / "e", back / "d/e-link")
    os.mkfifo(back / "fifo")
    os.mknod(back / "device", stat.S_IFCHR | 0o666, os.makedev(10, 237))  # loop-control, if anybody opened it


def exchange(back):
    """Until it is told to end."""
    pairs = [("d", "dir-link"), ("f", "file-link"), ("f", "fifo"), ("f", "device"), ("d/e", "d/e-link"), ("d", "f")]
    pairs = [tuple(os.fsencode(back / name) for name in pair) for pair in pairs]
    ended, count = [], 0
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    while not ended:
        a, b = random.choice(pairs)
        for _ in range(random.choice((1, 2))):
            count += LIBC.renameat2(-100, a, -100, b, EXCHANGE) == 0
    print(f"{count} exchanges", flush=True)
    return count == 0


def use_file(path):
    fd = os.open(path, random.choice((os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_CREAT)) | os.O_NONBLOCK)
    os.write(fd, FILE)
    os.fsync(fd)
    os.close(fd)


def in_directory(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.listdir(fd)
        f = os.open("f", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
        assert os.pread(f, 20, 0) in (FILE, b""), "that is not of the tree"
        os.close(f)
    finally:
        os.close(fd)


def make_and_remove(path):
    os.mkdir(path + "/new")
    os.rmdir(path + "/new")


OPERATIONS = {
    "use": lambda d, f: use_file(f), "directory": lambda d, f: in_directory(d), "make": lambda d, f: make_and_remove(d),
    "truncate": lambda d, f: os.truncate(f, 7), "mode": lambda d, f: os.chmod(f, 0o666), "owner": lambda d, f: os.lchown(f, 5, 5),
    "times": lambda d, f: os.utime(f), "attribute": lambda d, f: os.setxattr(f, "user.x", b"1"), "attributes": lambda d, f: os.listxattr(f),
    "link": lambda d, f: (os.link(f, d + "/l"), os.unlink(d + "/l")), "symlink": lambda d, f: (os.symlink("x", d + "/s"), os.unlink(d + "/s")),
    "node": lambda d, f: (os.mkfifo(d + "/p"), os.unlink(d + "/p")), "list": lambda d, f: list(os.scandir(d)),
    "rename": lambda d, f: (os.rename(d + "/e", d + "/moved"), os.rename(d + "/moved", d + "/e")),
    "room": lambda d, f: os.statvfs(f), "nameless": lambda d, f: os.close(os.open(d, os.O_TMPFILE | os.O_RDWR)),
}


def client(mnt, seconds):
    """The alarm ends who waits. It has done what matters most at least once, however few turns it got in that time."""
    os.chroot(mnt)
    end, done = time.monotonic() + seconds, dict.fromkeys(OPERATIONS, 0)
    while time.monotonic() < end or (not (done["use"] and done["directory"]) and time.monotonic() < end + PATIENCE_S):
        name = random.choice(list(OPERATIONS))
        directory = random.choice(("/d", "/d/e", "/dir-link"))
        file = random.choice(("/f", "/d/f", "/d/e/f", "/fifo", "/device"))
        signal.alarm(PATIENCE_S)
        try:
            OPERATIONS[name](directory, file)
            done[name] += 1
        except OSError as e:
            if e.errno not in EXPECTED:
                raise
    signal.alarm(0)
    print(sum(done.values()), "operations;", ", ".join(f"{n} {c}" for n, c in done.items()))
    return not (done["use"] and done["directory"])


def spawned(function, *args):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = int(function(*args))
        except Exception as e:  # the parent wants a status, the reader a reason
            print(f"{function.__name__}: {e!r}")
        sys.stdout.flush()
        os._exit(status)
    return pid


def watch(outside, special):
    """No event may come at all. Attributes and names of a FIFO and a device are the clients' own; to be opened is another thing."""
    fd = LIBC.inotify_init1(IN_NONBLOCK)
    for paths, mask in ((outside, IN_ALL_EVENTS), (special, IN_ACCESS | IN_MODIFY | IN_OPEN)):
        for path in paths:
            assert LIBC.inotify_add_watch(fd, os.fsencode(path), mask) >= 0, path
    return fd


def contents(outside):
    """All but the time of access: it is our own reading that sets that one, and inotify tells of others who read."""
    def look(p):
        s = p.lstat()
        return str(p), s[:stat.ST_ATIME], s[stat.ST_MTIME:], p.read_bytes() if p.is_file() else None
    return sorted(look(p) for p in (outside, *outside.rglob("*")))


def main():
    back, mnt, outside = (pathlib.Path(p) for p in sys.argv[1:4])
    seconds = float(sys.argv[4])
    os.umask(0)
    make_tree(back, outside)
    before = contents(outside)
    fd = watch([outside, outside / "f", outside / "e", outside / "e/f"], [back / "fifo", back / "device"])
    exchanger, clients = spawned(exchange, back), [spawned(client, mnt, seconds) for _ in range(2)]
    failed = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in clients]
    os.kill(exchanger, signal.SIGTERM)
    failed.append(os.waitstatus_to_exitcode(os.waitpid(exchanger, 0)[1]))
    events = os.read(fd, 4096) if select.select([fd], [], [], 0)[0] else b""
    os.close(fd)
    if events:
        print("something outside was touched, or a FIFO or a device was opened: watch, mask, ...:", struct.unpack("=iIII", events[:16]))
        return 1
    after = contents(outside)
    if after != before:
        print(f"something outside was changed, from {before} to {after}")
        return 1
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
