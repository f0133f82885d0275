#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wire.py guests ATTACH_TRY | hosts ENTER - peers of vmsh and of vmsh-stage2 that break what lib/wire/wire.h promises.

As a guest it is what attach-try starts ("wire.py guest NAME", its channel is descriptor 3): vmsh has to end within
some seconds, with status 125 and a sentence. As a host it starts the guest's program, and that has to end.
"""
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

(HELLO, REQUEST, START, READY, DATA, CREDIT, WINSIZE, SIGNAL, HANGUP, EXIT, ERROR, NOTE, FUSE, PING, PONG,
 END) = range(1, 17)
STDIN, STDOUT, STDERR, TERMINAL, ARCHIVE, REQUESTS = range(6)
VERSION = 1
WINDOW, MESSAGE_MAX = 256 << 10, 132 << 10


def message(kind, stream=0, value=0, data=b""):
    return struct.pack("<BBHI", kind, stream, 0, value) + data


class Peer:
    def __init__(self, sock):
        self.sock = sock

    def say(self, *args):
        self.sock.send(message(*args))

    def hear(self, kind=None):
        """The next message (of that kind), as (kind, stream, value, data); None at the end."""
        while True:
            got = self.sock.recv(MESSAGE_MAX)
            if not got:
                return None
            head = struct.unpack("<BBHI", got[:8])
            if kind in (None, head[0]):
                return head[0], head[1], head[3], got[8:]


# --- guests ---

def linger(peer):
    while peer.hear():
        pass


def begin(peer, fuse=1):
    peer.say(HELLO, fuse, VERSION)
    peer.hear(START)


def guest_says_nothing(peer):
    linger(peer)


def guest_is_of_another_version(peer):
    peer.say(HELLO, 1, 99)
    linger(peer)


def guest_says_hello_twice(peer):
    peer.say(HELLO, 1, VERSION)
    peer.say(HELLO, 1, VERSION)
    linger(peer)


def guest_sends_noise(peer):
    begin(peer)
    noise = random.Random(1)
    while True:
        peer.sock.send(noise.randbytes(noise.randrange(1, 2000)))


def guest_sends_empty_heads(peer):
    begin(peer)
    while True:
        peer.sock.send(b"\0")


def guest_ignores_the_window(peer):
    begin(peer)
    while True:
        peer.say(DATA, TERMINAL, 0, b"x" * 65536)


def guest_gives_credit_for_nothing(peer):
    begin(peer)
    while True:
        peer.say(CREDIT, STDIN, WINDOW)


def guest_has_no_places(peer):
    begin(peer)
    while True:
        peer.say(FUSE, 0, 0, fuse(15, 2, 1, bytes(40)))


def guest_asks_for_more_at_once_than_there_are_places(peer):
    begin(peer)
    peer.say(FUSE, 0, 0, fuse(15, 2, 1, bytes(40)) * 33)
    linger(peer)


def guest_cuts_its_second_request_short(peer):
    begin(peer)
    peer.say(FUSE, 0, 0, fuse(15, 2, 1, bytes(40)) + fuse(15, 4, 1, bytes(40))[:-1])
    linger(peer)


def guest_has_a_request_without_a_length(peer):
    begin(peer)
    peer.say(FUSE, 0, 0, fuse(15, 2, 1, bytes(40)) + bytes(40))
    linger(peer)


def guest_goes_on_behind_its_end(peer):
    begin(peer)
    peer.say(DATA, STDOUT)
    peer.say(DATA, STDERR)
    peer.say(DATA, STDOUT, 0, b"more")
    linger(peer)


def guest_talks_of_escapes(peer):
    begin(peer)
    peer.say(NOTE, 0, 0, b"\x1b[2Jnote\x07")
    peer.say(ERROR, 0, 125, b"\x1b]0;title\x07has ended\n\x1b[31m")
    linger(peer)


def guest_never_ends(peer):
    """It takes all, and says nothing: the beats tell."""
    begin(peer)
    linger(peer)


def guest_does_not_read(peer):
    peer.say(HELLO, 1, VERSION)
    while True:
        time.sleep(1)
        peer.say(PONG, 0, 0)


def fuse(opcode, unique, nodeid, body=b""):
    return struct.pack("<IIQQIIIHH", 40 + len(body), opcode, unique, nodeid, 0, 0, 1, 0, 0) + body


def guest_writes_to_what_is_read_only(peer):
    """As root of its kernel, for which the mount's own read-only is nothing."""
    begin(peer)
    peer.say(FUSE, 0, 0, fuse(26, 2, 0, struct.pack("<IIII", 7, 38, 131072, 0) + bytes(48)))
    answers = {}
    reply = peer.hear(FUSE)[3]
    assert struct.unpack("<IiQ", reply[:16])[1:] == (0, 2), reply

    def ask(opcode, nodeid, body):
        unique = len(answers) + 100
        peer.say(FUSE, 0, 0, fuse(opcode, unique, nodeid, body))
        reply = peer.hear(FUSE)[3]
        answers[unique] = struct.unpack("<IiQ", reply[:16])[1]
        return answers[unique], reply[16:]

    error, entry = ask(1, 1, b"etc\0")
    assert error == 0, error
    etc = struct.unpack("<Q", entry[:8])[0]
    error, entry = ask(1, etc, b"shadow\0")
    shadow = struct.unpack("<Q", entry[:8])[0] if error == 0 else 0
    wrong = []
    if ask(9, etc, struct.pack("<II", 0o755, 0) + b"of-the-guest\0")[0] not in (-30, -1, -13):
        wrong.append("mkdir")
    if ask(10, etc, b"hostname\0")[0] not in (-30, -1, -13):
        wrong.append("unlink")
    if shadow and ask(14, shadow, struct.pack("<II", os.O_RDONLY, 0))[0] == 0:
        wrong.append("open of shadow")
    if shadow and ask(14, shadow, struct.pack("<II", os.O_RDWR, 0))[0] == 0:
        wrong.append("open of shadow for writing")
    if ask(3, 0xffffffffffff, bytes(16))[0] == 0:
        wrong.append("a node that is none")
    if ask(1, etc, b"../etc\0")[0] == 0 or ask(1, etc, b"passwd/../..\0")[0] == 0:
        wrong.append("a name that is a path")
    error, entry = ask(1, 1, b"..\0") # the root's, if there is one, is the root
    if error == 0 and struct.unpack("<Q", entry[:8])[0] != 1:
        wrong.append("a name that leads out")
    peer.say(FUSE, 0, 0, b"".join(fuse(3, one, 1, bytes(16)) for one in (1000, 1002, 1004)))
    if sorted(struct.unpack("<Q", peer.hear(FUSE)[3][8:16])[0] for _ in range(3)) != [1000, 1002, 1004]:
        wrong.append("other than it was asked, three at once")
    text = ("took: " + ", ".join(wrong)) if wrong else "has ended, as it should"
    peer.say(ERROR, 0, 125, text.encode())
    linger(peer)


def run_guest(name):
    peer = Peer(socket.socket(fileno=3))
    try:
        globals()["guest_" + name](peer)
    except OSError:
        pass


def try_guests(attach_try):
    failed = 0
    for name in sorted(n[6:] for n in globals() if n.startswith("guest_")):
        started = time.monotonic()
        done = subprocess.run([attach_try, "-T", "--timeout", "8", f"exec python3 {os.path.realpath(__file__)} guest {name}", "--", "x"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=200, check=False)
        seconds = time.monotonic() - started
        said = done.stderr.decode(errors="replace")
        good = done.returncode == 125 and said and "\x1b" not in said and "\x07" not in said and "took" not in said
        failed += not good
        print(f"{'ok' if good else 'not ok'}: {name}: {done.returncode}, {seconds:.1f} s: {said.strip()}")
    return failed


# --- hosts ---

COMMAND = b"arg=/bin/sleep\0arg=1000\0tools=fuse\0"


def host_says_nothing(peer):
    time.sleep(12)


def host_goes_at_once(peer):
    pass


def host_sends_noise(peer):
    noise = random.Random(2)
    while True:
        peer.sock.send(noise.randbytes(noise.randrange(1, 3000)))


def host_starts_nothing(peer):
    peer.say(HELLO, 0, VERSION)
    peer.say(START)
    assert peer.hear(ERROR)


def host_asks_without_end(peer):
    peer.say(HELLO, 0, VERSION)
    while True:
        peer.say(REQUEST, 0, 0, b"arg=x\0" * 10000)


def host_is_of_another_version(peer):
    peer.say(HELLO, 0, 2)
    assert b"version" in peer.hear(ERROR)[3]


def begin_host(peer, command=COMMAND):
    peer.hear(HELLO)
    peer.say(HELLO, 0, VERSION)
    peer.say(REQUEST, 0, 0, command)
    peer.say(START)


def host_answers_no_file(peer):
    begin_host(peer)
    peer.hear(FUSE)
    time.sleep(3)


def host_answers_files_with_noise(peer):
    begin_host(peer)
    noise = random.Random(3)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        got = peer.hear(FUSE)
        if not got:
            return
        unique = struct.unpack("<IIQ", got[3][:16])[2]
        body = noise.randbytes(noise.randrange(0, 300))
        peer.say(FUSE, 0, 0, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def host_ignores_the_window(peer):
    begin_host(peer, COMMAND.replace(b"tools=fuse\0", b""))
    while True:
        peer.say(DATA, STDIN, 0, b"x" * 65536)


def host_gives_credit_for_nothing(peer):
    begin_host(peer, COMMAND.replace(b"tools=fuse\0", b""))
    while True:
        peer.say(CREDIT, STDOUT, WINDOW)


def host_does_not_read(peer):
    begin_host(peer, b"arg=/bin/yes\0tools=none\0".replace(b"tools=none\0", b""))
    while True:
        time.sleep(0.5)
        peer.say(PING, 0, 0)


def entry(name, mode, data=b""):
    head = "070701" + "".join(f"{v:08x}" for v in (7, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    text = head.encode() + name + b"\0"
    text += bytes(-len(text) % 4) + data
    return text + bytes(-len(text) % 4)


def push(peer, archive):
    begin_host(peer, COMMAND.replace(b"fuse", b"archive"))
    peer.say(DATA, ARCHIVE, 0, archive + entry(b"TRAILER!!!", 0))
    peer.say(DATA, ARCHIVE)
    while (got := peer.hear())[0] != ERROR:
        pass
    return got[3]


def host_leads_out_by_dots(peer):
    assert b"malformed" in push(peer, entry(b"../../etc/by-dots", 0o100644, b"x"))


def host_leads_out_by_a_link(peer):
    archive = entry(b"out", 0o120777, b"/etc") + entry(b"out/by-a-link", 0o100644, b"x")
    assert b"unpacking" in push(peer, archive)


def host_changes_modes_by_a_link(peer):
    archive = entry(b"out", 0o120777, b"/etc") + entry(b"out", 0o40700)
    assert b"unpacking" in push(peer, archive)


def try_hosts(enter):
    failed = 0
    for name in sorted(n[5:] for n in globals() if n.startswith("host_")):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        started, why = time.monotonic(), ""

        def channel(fd=theirs.fileno()):
            os.dup2(fd, 3)

        child = subprocess.Popen(["sh", "-c", enter], preexec_fn=channel, pass_fds=(3,), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        theirs.close()
        signal.alarm(200)
        try:
            globals()["host_" + name](Peer(ours))
        except OSError as e:
            why = str(e)
        except (AssertionError, TypeError) as e:
            failed += 1
            why = f"not what was expected: {e!r}"
        signal.alarm(0)
        ours.close()
        try:
            child.wait(120)
        except subprocess.TimeoutExpired:
            failed += 1
            why += " it did not end"
            child.kill()
        print(f"{name}: {child.returncode}, {time.monotonic() - started:.1f} s: {why}")
    return failed


if __name__ == "__main__":
    if sys.argv[1] == "guest":
        run_guest(sys.argv[2])
        sys.exit(0)
    sys.exit(bool((try_guests if sys.argv[1] == "guests" else try_hosts)(sys.argv[2])))
