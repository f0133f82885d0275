# SPDX-License-Identifier: MIT
"""matrix - guests x hypervisors x what vmsh does with them.

Theory of operation

A cell is one guest: its kernel, its hypervisor, and what is special about it. For each, a saved L1 (bed.py) goes
on, which starts the guest, waits for it, and tries everything in one go; so a boot costs no more than it must. What is
said is judged here, by what the guest said itself on its console.

A guest that does not come up in an emulated processor says nothing of vmsh: it is begun with once more, and if it never comes
up, its cell is skipped. What vmsh does wrong in a guest that is up is a failure, at once.
"""
import dataclasses
import json
import os
import pathlib
import re
import struct
import subprocess
import time

import kernels
import machine
import own_kernels
from bed import STEADY
from tap import TRIES

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", str(HERE.parent.parent / "build")))
PROGRAMS = [str(BUILD / name) for name in ("vmsh", "tests/sideload/side-try", "tests/sideload/guest-echo", "tests/kvm/minivmm")]
# Those of which all is tried; and others of the same suites, of which one machine is.
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "newest": "trixie-backports"}
FLAVOURS = {f"{kernel} {name}": (suite, flavour) for kernel, suite in SUITES.items()
            for name, flavour in [("amd64", "amd64"), ("rt", "rt-amd64")]}
BTF_MAGIC = bytes.fromhex("9feb0100 18000000")
# A guest at rest halts, as elsewhere: one that polls takes L1's only processor from the rest, and one of its two from the other.
HALTING = STEADY.replace("idle=poll", "idle=halt")
NO_FUSE = "the guest has no FUSE: it gets a busybox, not the tools of '/tools'"
OTHER_QEMU = "/usr/local/lib/qemu"  # in L1
UP_S = 1200  # some 30 s of a processor of its own
TRY_S = 1500  # the same
CYCLE_S = 6  # some 0.2 s, under load 0.5 s
GUEST_INIT = """#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mkdir -p /tmp /etc /var/lib
busybox mount -t tmpfs tmp /tmp
exec >/dev/kmsg 2>&1
for m in {modules}; do busybox insmod /$m.ko || :; done
busybox --install -s /bin
export PATH=/bin
echo root:x:0:0::/root:/bin/sh >/etc/passwd
sleep 1000001 &
echo "L2-FACT release $(uname -r)"
echo "L2-FACT cpus $(grep -c ^processor /proc/cpuinfo)"
echo "L2-FACT sleep $!"
echo "L2-FACT text $(grep -m 1 ' _text$' /proc/kallsyms)"
echo "L2-FACT above $(grep -c '^[0-9a-f]\\{9,\\}-.*System RAM' /proc/iomem)"
echo "L2-FACT la57 $(grep -c -m 1 la57 /proc/cpuinfo)"
echo "L2-FACT isolated $(dmesg | grep -c 'page tables isolation: enabled')"
echo L2-READY
i=0
while :; do sleep 1; i=$((i+1)); echo "L2-TICK $i mounts $(grep -c . /proc/1/mounts) marker $(cat /etc/marker)"; done
"""
# Each verb's output lies between its name and its status.
SCRIPT = """
mkdir -p /tools/bin
cp /bin/busybox /tools/bin
for name in sh ps ls cat md5sum; do ln -s busybox /tools/bin/$name; done
dd if=/dev/urandom of=/tools/big bs=64k count=16 2>/dev/null
@START@
vmm=$!
n=0
until grep -q L2-READY /tmp/console 2>/dev/null; do
    usleep 200000
    n=$((n + 1))
    [ $((n % 50)) != 0 ] || echo "BOOT $(tail -n 1 /tmp/console 2>&1) $(head -c 80 /tmp/qemu)"
    [ $n -lt @LOOKS@ ] && kill -0 $vmm || { echo "BOOT failed"; cat /tmp/qemu; tail -n 30 /tmp/console; exit; }
done
said() { echo "<<< $1"; shift; "$@" </dev/null 2>&1; echo ">>> $?"; }
traces()
{
    echo "$(ls /proc/$vmm/fd | wc -l) descriptors, $(grep -c . /proc/$vmm/maps) mappings, $(grep -c memfd:vmsh /proc/$vmm/maps) ours"
    ./side-try $vmm ./guest-echo traces
}
# As it was before: the kernel takes a file system apart after its last user has gone.
settled()
{
    n=0
    until traces >is; [ "$(cat is)" = "$(cat was)" ] || [ $n -gt 300 ]; do sleep 1; n=$((n + 1)); done
    cat is
}
ticks()
{
    # Two more: the second may not be written to its end.
    enough=$(($(grep -c L2-TICK /tmp/console) + 2)) n=0
    until [ $(grep -c L2-TICK /tmp/console) -ge $enough ] || [ $n -gt 3000 ]; do usleep 100000; n=$((n + 1)); done
    grep L2-TICK /tmp/console | tail -n 2 | head -n 1
    [ $n -le 3000 ]
}
# One that stands before anybody has looked at it has lost the interrupt of its timer.
ticks || { echo "BOOT failed: it stands"; exit; }
echo "BOOT done in $(cut -d' ' -f1 /proc/uptime)"
# kill -9 of vmsh; until what it started is gone in the guest, and its memory in the hypervisor.
killed()
{
    ./vmsh attach --timeout 300 --tools /tools $vmm -- sh -c 'echo it started; exec sleep 1000002' >said 2>&1 &
    n=0
    until grep -q started said 2>/dev/null || [ $n -gt 6000 ]; do usleep 100000; n=$((n + 1)); done
    cat said
    kill -9 $!
    n=0
    while grep -q memfd:vmsh /proc/$vmm/maps && [ $n -lt 6000 ]; do usleep 100000; n=$((n + 1)); done
    n=0
    while ./vmsh guest-ps $vmm | grep -q 'sleep 1000002' && [ $n -lt 300 ]; do sleep 1; n=$((n + 1)); done
    [ $n -lt 300 ]
}
said inspect ./vmsh inspect --json $vmm
said ps ./vmsh guest-ps --json $vmm
said dmesg ./vmsh dmesg $vmm
traces >was
said before cat was
said mounts ticks
said files ./vmsh attach -v --timeout 300 --tools /tools $vmm -- sh -c 'echo kernel $(uname -r); ls / /var/lib/vmsh; ps; md5sum </big; echo written >/var/lib/vmsh/etc/marker; exit 7'
said archive ./vmsh attach -v --timeout 300 --tools archive $vmm -- busybox sh -c 'busybox cat /var/lib/vmsh/etc/passwd; exit 3'
said killed killed
said cycles ./side-try $vmm ./guest-echo cycle=@CYCLES@
# The same while processes make others without end.
said busy ./side-try $vmm ./guest-echo open load exit end close cycle=@CYCLES@ open 'run killall load' exit end close
said after settled
said ticks ticks
md5sum </tools/big
cat /tmp/console | grep 'L2-FACT'
# What its kernel said while it started (that a processor was stuck, where this machine is busy) is not of vmsh.
sed '1,/L2-READY/d' /tmp/console | grep -E 'BUG|Oops|panic|WARNING|Call Trace'
"""
FEATURES = ["inspect", "ps", "dmesg", "files", "archive", "kill -9", "cycles", "under load", "no trace"]
CYCLES = {"cycles": "cycles", "under load": "busy"}
WHY_MAX = 1500


@dataclasses.dataclass(frozen=True)
class Cell:
    """kernel: of SUITES or FLAVOURS; machine: pc, q35, microvm, with what QEMU's -machine takes, or mini and minivmm's knobs;
    qemu: of another suite."""
    kernel: str
    machine: str
    cpus: int = 1
    kaslr: bool = False
    append: str = ""
    cpu: str = "qemu64,+svm,+npt"
    qemu: str = ""
    btf: bool = True
    variables: bool = True  # in kallsyms

    def name(self):
        words = [self.kernel, self.machine] + [f"of {self.qemu}"] * bool(self.qemu) + [f"{self.cpus} vCPU" + "s" * (self.cpus > 1)]
        words += ["KASLR"] * self.kaslr + [self.append] * bool(self.append)
        return " ".join(words + ["5-level paging"] * ("la57" in self.cpu) + ["no BTF"] * (not self.btf) +
                        ["no variables"] * (not self.variables))

    def start(self):
        """The command that starts it in L1, in the background."""
        append = f"{HALTING} {'' if self.kaslr else 'nokaslr '}{self.append}"
        # No more than warnings, and what GUEST_INIT says: each character takes exits to the hypervisor.
        append = f"console=ttyS0 loglevel=5 printk.devkmsg=on {append}"
        if self.machine.startswith("mini"):
            return f"mkfifo /tmp/in; exec 8<>/tmp/in; ./minivmm {self.machine[4:]} boot=./{self.image()} initrd=./initramfs.cpio " \
                   f"console=/tmp/console append='{append}' >/tmp/qemu 2>&1 <&8 8<&- &"
        qemu = f"{OTHER_QEMU}/qemu-system-x86_64 -L {OTHER_QEMU}" if self.qemu else "qemu-system-x86_64"
        # Where no clock answers, Linux reads its status 10,000 times before it gives up (mc146818_avoid_UIP()).
        machine_type = self.machine.replace("microvm", "microvm,rtc=on")
        return f"{qemu} -machine {machine_type} -accel kvm -cpu host -m 256 -smp {self.cpus} " \
               f"-name guest=the-guest,debug-threads=on -kernel ./{self.image()} -initrd ./initramfs.cpio -display none -nodefaults " \
               f"-serial file:/tmp/console -append '{append}' >/tmp/qemu 2>&1 &"

    def image(self):
        """KASLR, and the way to five levels, are what a kernel does that unpacks itself."""
        return "vmlinuz" if self.kaslr or "la57" in self.cpu else "vmlinux"


def guests(work):
    """{kernel: (its directory, an initramfs)}, made when asked for."""
    made = {}

    def get(name):
        if name not in made:
            kernel = own_kernels.get_kernel(name) if name in own_kernels.NAMES else \
                kernels.get_kernel(*FLAVOURS.get(name, (SUITES.get(name),)))
            where = pathlib.Path(work) / name
            where.mkdir(parents=True, exist_ok=True)
            made[name] = (kernel, machine.make_initramfs(where, kernel, kernels.GUEST_MODULES, GUEST_INIT))
        return made[name]
    return get


def without_btf(vmlinux, where):
    """A copy of the kernel as one that was built without a description of its types: that has lost its magic (and version, flags)."""
    data = vmlinux.read_bytes()
    assert data.count(BTF_MAGIC) == 1
    (where / "vmlinux").write_bytes(data.replace(BTF_MAGIC, bytes(len(BTF_MAGIC))))
    return where / "vmlinux"


def without_variables(vmlinux, where):
    """A copy of the kernel as one that was built without CONFIG_KALLSYMS_ALL: variables are called "ddd" and the like, by as many tokens."""
    names = subprocess.run([str(BUILD / "tests/kernel/kernel-facts"), str(vmlinux), "variables"], stdout=subprocess.PIPE, text=True, check=True)
    data = bytearray(vmlinux.read_bytes())
    # Program headers: where in the file what is at an address (elf(5)).
    start, size, count = struct.unpack_from("<Q", data, 0x20)[0], *struct.unpack_from("<HH", data, 0x36)
    loads = [struct.unpack_from("<IIQQQQ", data, start + i * size) for i in range(count)]
    for line in names.stdout.splitlines():
        at, length = int(line.split()[0], 16), int(line.split()[1])
        offset = next(at - vaddr + off for kind, _, off, vaddr, _, filesz in loads if kind == 1 and vaddr <= at < vaddr + filesz)
        data[offset:offset + length] = b"d" * length
    (where / "vmlinux").write_bytes(data)
    return where / "vmlinux"


def qemu_files(suite):
    """For a host in which Cell.start() finds that QEMU."""
    return [(str(path), f"{OTHER_QEMU[1:]}/{path.name}") for path in sorted(kernels.get_qemu(suite).iterdir())] if suite else []


def parts(said):
    """{verb: (output, status)} of what the script said, with what it has of the guest's facts."""
    found = {name: (text, int(status)) for name, text, status in
             re.findall(r"^<<< (\w+)\n(.*?)^>>> (\d+)$", said, re.M | re.S)}
    facts = dict(re.findall(r"L2-FACT (\w+) (.*?)\s*$", said, re.M))
    return found, facts


def to_json(text, empty):
    try:
        return json.loads(text[text.index("[" if isinstance(empty, list) else "{"):])
    except ValueError:
        return empty


def cycled(said, n):
    """Did it come and go as often, always in the same slot?"""
    slots = re.findall(r"^close: ok;.* slot (\d+ at \w+)", said[0], re.M)
    return said[1] == 0 and len(slots) == n and len(set(slots)) == 1


def judge(cell, said, cycles):
    """{feature: None if it is well, or why not}."""
    found, facts = parts(said)
    none = ("", -1)
    said_of = {name: found.get(name, none) for name in ("inspect", "ps", "dmesg", "files", "archive", "killed", "cycles", "busy", "before", "after",
                                                        "ticks", "mounts")}
    inspect = to_json(said_of["inspect"][0], {})
    tasks = {p["pid"]: p["cmdline"] for p in to_json(said_of["ps"][0], [])}
    big = re.findall(r"^([0-9a-f]{32})  -$", said, re.M)
    files, archive = said_of["files"], said_of["archive"]
    mounts = [re.search(r"mounts (\d+) marker ?(.*)", said_of[name][0]) for name in ("mounts", "ticks")]
    text = int(facts.get("text", "0").split()[0], 16)
    good = {
        "inspect": inspect.get("kernel") == facts.get("release") and inspect.get("slots_exact") is True and
        int(inspect.get("kaslr", "-1"), 16) == text - 0xffffffff81000000 and len(inspect.get("cpus", [])) == cell.cpus and
        inspect.get("paging_levels") == (5 if facts.get("la57") == "1" else 4),
        "ps": tasks.get(int(facts.get("sleep", "-1"))) == "sleep 1000001" and len(tasks) > 20,
        "dmesg": "L2-READY" in said_of["dmesg"][0] and "Linux version" in said_of["dmesg"][0],
        "files": files[1] == 7 and f"kernel {facts.get('release')}" in files[0] and "sleep 1000001" in files[0] and
        "\ninit\n" in files[0] and len(big) == 2 and big[0] == big[1],
        "archive": archive[1] == 3 and "root:x:0:0" in archive[0],
        "kill -9": said_of["killed"] == ("it started\n", 0),
        "cycles": cycled(said_of["cycles"], cycles),
        "under load": cycled(said_of["busy"], cycles + 2),  # one begins the load, one ends it
        "no trace": said_of["before"] == said_of["after"] and " 0 ours" in said_of["before"][0] and "traces: " in said_of["before"][0] and
        said_of["ticks"][1] == 0 and all(mounts) and mounts[0][1] == mounts[1][1] and mounts[1][2] == "written" and
        not re.search(r"^.*(BUG|Oops|panic|WARNING|Call Trace)", said.rpartition("L2-FACT")[2], re.M),
    }
    if cell.kernel in own_kernels.NAMES:
        # There is no FUSE: it takes an archive by itself, and says so.
        good["files"] = files[1] == 7 and f"kernel {facts.get('release')}" in files[0] and "sleep 1000001" in files[0] and \
            "tools come as an archive" in files[0] and NO_FUSE in files[0]
        good["kill -9"] = said_of["killed"] == (f"vmsh: warning: {NO_FUSE}\nit started\n", 0)
    why = {"no trace": ("before", "after", "mounts", "ticks"), "kill -9": ("killed",)} | {k: (v,) for k, v in CYCLES.items()}

    def told(names):
        return "".join(f"{k}: {said_of[k][0][-WHY_MAX:]}, {said_of[k][1]}\n" for k in names) + str(facts)
    return {name: None if good[name] else told(why.get(name, (name,))) for name in FEATURES}


def lacks(cell, said):
    """What its cell says of the guest, and is not so; or None."""
    facts = parts(said)[1]
    good = {"KASLR": not cell.kaslr or int(facts.get("text", "0").split()[0], 16) != 0xffffffff81000000,
            "memory above 4 GiB": not re.search("below-4g| above", cell.machine) or facts.get("above", "0") != "0",
            "isolated page tables": "pti=on" not in cell.append or facts.get("isolated", "0") != "0",
            "5-level paging": "la57" not in cell.cpu or facts.get("la57") == "1",
            "processors": facts.get("cpus") == str(cell.cpus)}
    return ", ".join(name for name, is_so in good.items() if not is_so) or None


def try_cell(bed, cell, get_guest, cycles):
    """What was said in a guest that came up, or None; and how long it took."""
    kernel, initramfs = get_guest(cell.kernel)
    image = kernel / cell.image()
    image = image if cell.btf else without_btf(image, initramfs.parent)
    image = image if cell.variables else without_variables(image, initramfs.parent)
    script = SCRIPT.replace("@START@", cell.start()).replace("@LOOKS@", str(UP_S * 5)).replace("@CYCLES@", str(cycles))
    begun = time.monotonic()
    for _ in range(TRIES):
        said = bed.run([*PROGRAMS, str(image), str(initramfs)], script, UP_S + TRY_S + 2 * CYCLE_S * cycles)
        # From here on the guest is up: what does not end now is vmsh's.
        if "BOOT done" in bed.said():
            return said if said is not None else bed.said() + "\nno end\n", time.monotonic() - begun
        print(f"# {cell.name()}: the guest did not come up:")
        print("".join(f"#   {line}\n" for line in bed.said().splitlines()[-12:]), end="", flush=True)
    return None, time.monotonic() - begun
