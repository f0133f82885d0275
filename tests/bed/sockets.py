#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""sockets.py VERB ARG... - servers and clients of unix sockets, and of TCP, for cases.

serve PATH...        answer in capitals, "bye" after the end of the input; *.seq is SOCK_SEQPACKET
many PATH N          N connections at once, each with data of its own
ask PATH             one question; prints the answer, and who is at the other end
slow PATH            send much, read nothing, meanwhile ask; then read it all
rights PATH          send a descriptor; prints what comes of it
hold PATH            connect, print "held", wait for the end
packets PATH         borders of packets, and an empty one
refused PATH TYPE    prints the error of connect()
port N               like serve, TCP on loopback
"""
import array
import os
import socket
import struct
import sys
import threading
import time

PATIENCE_S = 200  # only what hangs takes so long

TYPES = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET, "dgram": socket.SOCK_DGRAM}


def type_of(path):
    return socket.SOCK_SEQPACKET if path.endswith(".seq") else socket.SOCK_STREAM


def cred(sock):
    return struct.unpack("iii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))


def groups(sock):
    raw = sock.getsockopt(socket.SOL_SOCKET, 59, 1024)  # SO_PEERGROUPS
    return sorted(array.array("I", raw))


def answer(sock):
    try:
        while data := sock.recv(1 << 18):
            if data == b"who" and sock.family == socket.AF_UNIX:
                data = "uid {1} gid {2} groups {3}".format(*cred(sock), groups(sock)).encode()
                sock.sendall(data)
            else:
                sock.sendall(data.upper())
        sock.sendall(b"bye")
    except OSError:
        pass
    sock.close()


def accept(sock):
    while True:
        threading.Thread(target=answer, args=(sock.accept()[0],), daemon=True).start()


def serve(*paths):
    for path in paths:
        sock = socket.socket(socket.AF_UNIX, type_of(path))
        sock.bind(path)
        os.chmod(path, 0o666)
        sock.listen(128)
        threading.Thread(target=accept, args=(sock,), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


def port(number):
    sock = socket.create_server(("127.0.0.1", int(number)))
    print("ready", flush=True)
    accept(sock)


def dial(path, kind=None):
    if path.isdigit():
        return socket.create_connection(("127.0.0.1", int(path)), timeout=PATIENCE_S)
    sock = socket.socket(socket.AF_UNIX, kind or type_of(path))
    sock.settimeout(PATIENCE_S)
    sock.connect(path)
    return sock


def read_all(sock):
    data = bytearray()  # bytes would be copied for each piece: of what "slow" reads, many GB
    while more := sock.recv(1 << 16):
        data += more
    return bytes(data)


def talk(path, data):
    """Send and receive at the same time, with the end of one direction before that of the other."""
    sock = dial(path)

    def send():
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    sender = threading.Thread(target=send)
    sender.start()
    got = read_all(sock)
    sender.join()
    return got == data.upper() + b"bye"


def many(path, n):
    good = []

    def one(i):
        good.append(talk(path, (b"%d-abcdefgh " % i) * 20000))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(int(n))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(sum(good), "of", n)


def ask(path):
    sock = dial(path)
    sock.sendall(b"who")
    print(sock.recv(1000).decode())
    if not path.isdigit():
        print("server uid {1} gid {2}".format(*cred(sock)))
    sock.shutdown(socket.SHUT_WR)
    print(sock.recv(1000).decode())
    assert sock.recv(1000) == b""


# What kernels hold of TCP alone on the way is tens of MB: tcp_rmem is up to 32 MB, three times.
LOTS = 256 << 20


def slow(path):
    sock = dial(path)
    sock.setblocking(False)
    sent, end = 0, time.monotonic() + PATIENCE_S
    full = 0
    while full < 5:  # until there is no room for a while
        assert time.monotonic() < end
        try:
            sent += sock.send(b"a" * 65536)
            full = 0
        except BlockingIOError:
            full += 1
            time.sleep(0.1)
    assert talk(path, b"meanwhile")  # or it hangs, for nobody reads
    print("meanwhile")
    sock.settimeout(PATIENCE_S)
    sock.shutdown(socket.SHUT_WR)
    data = read_all(sock)
    print("all" if data == b"A" * sent + b"bye" else "wrong", "bounded" if sent < LOTS else sent)


def rights(path):
    sock = dial(path)
    with open("/dev/null", "rb") as null:
        sock.sendmsg([b"take this"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()]))])
    try:
        print("got", sock.recv(100))
    except ConnectionError as e:
        print(type(e).__name__)


def hold(path):
    sock = dial(path)
    sock.settimeout(None)
    sock.sendall(b"held")
    print(sock.recv(100).decode().lower(), flush=True)
    try:
        print("end", sock.recv(100), flush=True)
    except ConnectionError as e:
        print("end", type(e).__name__, flush=True)


def packets(path):
    sock = dial(path)
    for packet in b"one", b"two two", b"x" * 100000:
        sock.sendall(packet)
    for packet in b"ONE", b"TWO TWO", b"X" * 100000:
        assert sock.recv(200000) == packet
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(100) == b"bye" and sock.recv(100) == b""
    print("borders kept")


def refused(path, kind):
    try:
        dial(path, TYPES[kind])
        print("connected")
    except OSError as e:
        print(e.strerror)


globals()[sys.argv[1]](*sys.argv[2:])
