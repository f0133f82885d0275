#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py [ROWSxCOLS] CMD... - run CMD on a new terminal, driven by the lines of standard input.

    expect REGEX        wait until it appears in what came since the last match
    send TEXT           type it; escapes as in Python, \\x03 is ^C
    resize ROWSxCOLS    as a window would
    kill SIGNAL         to CMD itself
    hangup              close the terminal
    sleep SECONDS
    modes               print "modes same" if the terminal's modes are what they were at the start

What CMD says goes to standard output. The exit status is CMD's, 128+n for a signal; 99 if something
expected did not come within two minutes: only what hangs takes so long.
"""
import fcntl
import os
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE_S = 120


class Terminal:
    def __init__(self, size, command):
        self.master, slave = os.openpty()
        self.resize(size)
        self.modes = termios.tcgetattr(self.master)
        self.seen = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.master)
            os.login_tty(slave) if hasattr(os, "login_tty") else self.login(slave)
            os.execvp(command[0], command)
        os.close(slave)

    @staticmethod
    def login(slave):
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        if slave > 2:
            os.close(slave)

    def resize(self, size):
        rows, cols = (int(n) for n in size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, cols, 0, 0))

    def read(self, seconds):
        """More output, or b"" at the end of time or of the terminal."""
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return b""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self.seen += data
        return data

    def expect(self, regex):
        pattern, end = re.compile(regex.encode()), time.monotonic() + PATIENCE_S
        while True:
            found = pattern.search(self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return
            if not self.read(end - time.monotonic()):
                self.give_up(f"no {regex!r} in {self.seen[-2000:]!r}")

    def send(self, text):
        os.write(self.master, text.encode().decode("unicode_escape").encode("latin-1"))

    def give_up(self, why):
        print(f"\nterminal: {why}", flush=True)
        os.kill(self.pid, signal.SIGKILL)
        sys.exit(99)

    def wait(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.master >= 0:
                self.read(0.02)
            else:
                time.sleep(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.master >= 0 and self.read(0.05):
                    pass
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        return self.give_up("the command does not end")

    def step(self, verb, arg):
        if verb == "expect":
            self.expect(arg)
        elif verb == "send":
            self.send(arg)
        elif verb == "resize":
            self.resize(arg)
        elif verb == "kill":
            os.kill(self.pid, getattr(signal, "SIG" + arg))
        elif verb == "hangup":
            os.close(self.master)
            self.master = -1
        elif verb == "sleep":
            end = time.monotonic() + float(arg)
            while time.monotonic() < end:
                self.read(end - time.monotonic())
        else:
            self.give_up(f"no such step: {verb}")


def main(argv):
    size = "24x80"
    if argv and re.fullmatch(r"\d+x\d+", argv[0]):
        size = argv.pop(0)
    if not argv:
        sys.exit(__doc__)
    terminal = Terminal(size, argv)
    check_modes = False
    for line in sys.stdin:
        verb, _, arg = line.strip("\n").strip("\t").partition(" ")
        if verb == "modes":
            check_modes = True
        elif verb:
            terminal.step(verb, arg)
    status = terminal.wait()
    if check_modes:
        # The line discipline survives the last process: the master still sees its modes.
        same = termios.tcgetattr(terminal.master) == terminal.modes
        print("modes same" if same else "modes differ")
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
