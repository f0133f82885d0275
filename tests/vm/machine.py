# SPDX-License-Identifier: MIT
"""machine - an emulated machine with a stock kernel, an initramfs of ours and disks.

Theory of operation

QEMU emulates the machine in software: /dev/kvm is not needed, and would not do where it is itself
emulated. The kernel is booted directly (PVH). What the guest says on the first port of its virtio serial
device comes out on our standard output, for the emulated UART loses characters; the UART is the console.
"""
import ctypes
import mmap
import pathlib
import re
import shutil
import subprocess
import time

import kernels

TSC_LOOK_S = 0.2
TSC_CLOSE_NS = 20000  # two readings that nothing came between
TIMEOUT_S = 1200  # 40 s of a machine that does something else beside


def need(*programs):
    for program in programs:
        if not shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin"):
            raise kernels.Unavailable(f"{program} is not installed")


def tsc_khz():
    """How fast the time stamp counter goes: QEMU shows a machine that it emulates the one of this processor. A kernel that
    measures it where the machine is busy gets it wrong by a factor, and with it all times in there, and in guests of it."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; shl $32, %rdx; or %rdx, %rax; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))

    def both():
        while True:
            before, count, after = time.monotonic_ns(), rdtsc(), time.monotonic_ns()
            if after - before < TSC_CLOSE_NS:
                return before, count
    start = both()
    time.sleep(TSC_LOOK_S)
    end = both()
    return (end[1] - start[1]) * 1000000 // (end[0] - start[0])


def libraries(program):
    """The shared libraries of a program, by their absolute paths."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def make_initramfs(work, kernel, modules, init, files=()):
    """An archive of busybox, those of the modules that the kernel has not built in, and files with their
    libraries, each (path here, path there). {modules} in init becomes the modules."""
    tree = work / "initramfs"
    for d in ["bin", "dev", "proc", "root"]:
        (tree / d).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    modules = [m for m in modules if (kernel / (m + ".ko")).exists()]
    for m in modules:
        shutil.copy(kernel / (m + ".ko"), tree)
    for here, there in files:
        for source, target in [(here, there)] + [(lib, lib[1:]) for lib in libraries(here)]:
            target = tree / target
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(source, target)
    (tree / "init").write_text(init.replace("{modules}", " ".join(modules)), encoding="utf-8")
    (tree / "init").chmod(0o755)
    names = "\n".join(str(p.relative_to(tree)) for p in sorted(tree.rglob("*")))
    with open(work / "initramfs.cpio", "wb") as out:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=tree, input=names.encode(), stdout=out,
                       stderr=subprocess.DEVNULL, check=True)
    return work / "initramfs.cpio"


def boot(work, kernel, initramfs, disks, cpu="qemu64", memory=1024, append="", timeout=TIMEOUT_S):
    """Run the guest to its end; its exit status is that of QEMU. If it fails, the console's end is told."""
    console = pathlib.Path(work / "console")
    drives = [word for disk in disks
              for word in ("-drive", f"file={disk},format=raw,if=virtio,cache=unsafe,discard=unmap")]
    command = [
        "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,tb-size=256", "-cpu", cpu, "-smp", "1",
        "-m", str(memory), "-nodefaults", "-no-reboot", "-display", "none",
        "-kernel", str(kernel / "vmlinux"), "-initrd", str(initramfs), *drives,
        "-serial", f"file:{console}", "-device", "virtio-serial-pci", "-chardev", "file,id=tap,path=/dev/stdout,append=on",
        "-device", "virtserialport,chardev=tap,name=tap",
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check random.trust_cpu=on "
                   f"cgroup_no_v1=all {append}",
    ]
    status = subprocess.run(["timeout", "-k", "5", str(timeout), *command], stdin=subprocess.DEVNULL,
                            check=False).returncode
    if status:
        said = console.read_text(errors="replace") if console.exists() else ""
        print("# the guest did not come to its end; the end of its console:")
        print("".join(f"# {line}\n" for line in said.splitlines()[-30:]), end="")
    return status
