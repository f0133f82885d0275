# SPDX-License-Identifier: MIT
"""bed - a host with a guest in it, started once and tried many times.

Theory of operation

Two levels deep, as in vmsh.tap: QEMU here emulates a processor with SVM (L1), in which a stock kernel with
kvm-amd runs QEMU, and that the guest (L2). Once the guest is up, its hypervisor is stopped (a processor that
emulates a guest just then can't be saved), and L1 as a whole is written to a file. Each run() goes on from there, which
takes about a second, with files of its own, and ends L1 after it. So a guest that does not get through its start, or that
the emulator lets stand, costs one more try.
"""
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import time

import kernels
import machine

FIRMWARE = ["/usr/share/qemu/pvh.bin", "/usr/share/qemu/linuxboot_dma.bin", "/usr/share/qemu/kvmvapic.bin",
            "/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-microvm.bin"]
# Interrupts get lost in emulated SVM now and then: with a periodic tick and without HLT that costs no more than a tick.
STEADY = "nohz=off highres=off idle=poll tsc=reliable no_timer_check mitigations=off"
DISK = 256 << 20
BOOT_S = 1200  # 30 to 50 s of one processor
PATIENCE_S = 300  # only what hangs takes so long
UP = b"L1-UP"
DONE = b"L1-DONE"
L1_INIT = """#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mkdir -p /tmp /sys
busybox mount -t tmpfs tmp /tmp
busybox mount -t sysfs sys /sys
for m in {modules}; do busybox insmod /$m.ko || :; done
busybox --install -s /bin
export PATH=/bin:/usr/bin
mkfifo /tmp/monitor.in /tmp/monitor.out
truncate -s 64M /tmp/disk
(while :; do cat /tmp/monitor.out >/dev/null; done) &
"""
L1_GUEST = """qemu-system-x86_64 -machine pc -accel kvm -cpu host -m 256 -smp @CPUS@ -name guest=the-guest,debug-threads=on \\
    -kernel /boot/vmlinux -initrd /boot/initramfs -display none -nodefaults -serial file:/tmp/console \\
    -monitor pipe:/tmp/monitor @DEVICES@ -append "console=ttyS0 quiet loglevel=7 printk.devkmsg=on @APPEND@" >/tmp/qemu 2>&1 &
echo $! >/tmp/vmm
until grep -q L2-READY /tmp/console 2>/dev/null; do usleep 200000; done
sleep 1
kill -STOP $(cat /tmp/vmm)
usleep 100000
"""
L1_REST = """until port=$(ls /dev/vport*p1 2>/dev/null); do usleep 20000; done
echo L1-UP >$port
# What is on the disk was put there by run().
until [ "$(head -c 2 /dev/vda)" = GO ]; do blockdev --flushbufs /dev/vda; usleep 20000; done
mkdir /tmp/job
cd /tmp/job
tar x -f /dev/vda
[ ! -e /tmp/vmm ] || kill -CONT $(cat /tmp/vmm)
sh ./script >$port 2>&1
echo L1-DONE >$port
"""


class Bed:
    def __init__(self, work, suite, guest_init, programs, cpus=1, guest_modules=(), cpu="qemu64,+svm,+npt", host_files=(), devices="",
                 guest_kernel=None, guest_files=()):
        """programs: those that run() will bring, for their libraries. Without a suite there is no guest yet. cpu is the host's,
        host_files are more for it, each (path here, path there), guest_files for the guest; devices: of the guest; /tmp/disk
        is a file for one, and all of /tmp a directory. guest_kernel: another one than the suite's, as kernels.get_kernel() gives it."""
        self.work = pathlib.Path(work)
        self.cpus = cpus
        self.guest_init = guest_init
        self.programs = programs
        self.cpu = cpu
        self.host_files = list(host_files)
        self.guest_modules = guest_modules
        self.devices = devices
        machine.need("qemu-system-x86_64", "busybox", "ldd", "zstd", "lz4")
        self.host = kernels.get_kernel("bookworm")
        self.guest = guest_kernel or (kernels.get_kernel(suite) if suite else None)
        self.guest_files = list(guest_files)
        self.initramfs = None

    def command(self, where, incoming=None):
        command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,tb-size=512", "-cpu", self.cpu, "-smp", "1",
                   "-m", "2048", "-nodefaults", "-no-reboot", "-display", "none", "-kernel", str(self.host / "vmlinux"),
                   "-initrd", str(self.initramfs), "-drive", f"file={where}/disk,format=raw,if=virtio,cache=unsafe",
                   "-serial", f"file:{where}/console", "-device", "virtio-serial-pci",
                   "-chardev", f"file,id=said,path={where}/said", "-device", "virtserialport,chardev=said,name=said",
                   "-qmp", f"unix:{where}/qmp,server,nowait", "-append",
                   f"console=ttyS0 quiet panic=-1 random.trust_cpu=on {STEADY} tsc_early_khz={machine.tsc_khz()}"]
        return command + (["-incoming", incoming] if incoming else [])

    def start(self, where, disk, incoming=None):
        with open(where / "disk", "wb") as f:
            f.write(disk)
            f.truncate(DISK)
        # pylint: disable=consider-using-with # it outlives this function
        return subprocess.Popen(self.command(where, incoming), stdin=subprocess.DEVNULL)

    def make(self):
        """True once there is a guest to begin with."""
        for left in self.work.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        files = [("/usr/bin/qemu-system-x86_64", "usr/bin/qemu-system-x86_64"),
                 ("/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"), *self.host_files]
        init = L1_INIT + L1_REST
        if self.guest:
            (self.work / "l2").mkdir()
            guest = machine.make_initramfs(self.work / "l2", self.guest, self.guest_modules, self.guest_init, self.guest_files)
            files += [(str(self.guest / "vmlinux"), "boot/vmlinux"), (str(guest), "boot/initramfs")]
            init = L1_INIT + L1_GUEST.replace("@CPUS@", str(self.cpus)).replace("@APPEND@", STEADY)
            init = init.replace("@DEVICES@", self.devices) + L1_REST
        files += [(path, "usr/share/qemu/" + os.path.basename(path)) for path in FIRMWARE if os.path.exists(path)]
        files += [(lib, lib[1:]) for program in self.programs for lib in machine.libraries(program)]
        modules = [m for m in kernels.MODULES if m.startswith("virtio")] + kernels.KVM_MODULES + kernels.IMAGE_MODULES
        self.initramfs = machine.make_initramfs(self.work, self.host, modules, init, files)
        with Running(self.start(self.work, b"")) as l1:
            if not l1.wait_said(self.work / "said", UP, BOOT_S):
                return False
            qmp = Qmp(self.work / "qmp")
            qmp.ask("stop")
            qmp.ask("migrate", uri=f"exec:cat >{self.work}/saved")
            return qmp.wait_migrated()

    def run(self, files, script, timeout):
        """What the script says in L1, or None if it does not end in time."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
            tar.addfile(tarfile.TarInfo("GO"))
            info = tarfile.TarInfo("script")
            info.size = len(script.encode())
            tar.addfile(info, io.BytesIO(script.encode()))
            for path in files:
                tar.add(path, arcname=os.path.basename(path))
        where = self.work / "run"
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        with Running(self.start(where, archive.getvalue(), f"exec:cat {self.work}/saved")) as l1:
            qmp = Qmp(where / "qmp")
            if not qmp.wait_migrated():
                return None
            qmp.ask("cont")
            if not l1.wait_said(where / "said", DONE, timeout):
                return None
        return self.said()

    def said(self):
        """What the last script said so far."""
        path = self.work / "run/said"
        return path.read_text(errors="replace") if path.exists() else ""


class Running:
    """A process that ends with the block."""
    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()

    def wait_said(self, path, what, timeout):
        end = time.monotonic() + timeout
        running = True
        while running and time.monotonic() < end:
            # It may end right after that.
            running = self.process.poll() is None
            if path.exists() and what in path.read_bytes():
                return True
            time.sleep(0.1)
        return False


class Qmp:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(PATIENCE_S * 20):
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.05)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            answer = json.loads(line) if line else {"return": {}}
            if "event" not in answer:
                return answer.get("return", {})

    def wait_migrated(self):
        for _ in range(PATIENCE_S * 20):
            status = self.ask("query-migrate").get("status")
            if status in ("completed", "failed"):
                return status == "completed"
            time.sleep(0.05)
        return False
