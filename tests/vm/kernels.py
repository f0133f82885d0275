# SPDX-License-Identifier: MIT
"""kernels - stock Debian kernels: vmlinuz, vmlinux and the few modules that a guest needs; and a QEMU of another suite.

Theory of operation

get_kernel() asks the mirror that this machine's apt already uses for one more suite, in an apt
configuration of its own, so that the machine's stays as it is. The packages of the cloud kernel
of that suite, or of one of another flavour, are downloaded by apt, which checks their signatures, and unpacked, never
installed. What is made of them stays in a cache that may vanish at any time.

A bzImage is unpacked here and not in the guest: with software emulation that would take seconds.
"""
import io
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zlib

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FLAVOUR = "cloud-amd64"
QEMU_PACKAGES = ["qemu-system-x86", "qemu-system-data", "seabios"]
QEMU_FILES = ["qemu-system-x86_64", "pvh.bin", "linuxboot_dma.bin", "kvmvapic.bin", "bios-256k.bin", "bios-microvm.bin"]
# In the order of loading; what is missing is part of the kernel.
MODULES = ["virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "crc16", "crc32c_generic", "mbcache", "jbd2", "ext4", "virtio_blk", "virtio_console", "overlay"]
# Further ones, for disks that are encrypted or sealed.
DISK_MODULES = ["dax", "dm_mod", "dm_bufio", "xor", "async_tx", "async_xor", "ecb", "xts", "hmac",
                "sha256_generic", "authenc", "dm_crypt", "dm_integrity", "reed_solomon", "dm_verity"]

# What runs machines in such a guest, on a processor with SVM; what such a machine is entered with.
KVM_MODULES = ["irqbypass", "kvm", "kvm_amd"]
IMAGE_MODULES = ["loop"]
GUEST_MODULES = ["fuse"]
# What a disk of vmsh's takes in a guest, whose modprobe loads it.
DISK_GUEST_MODULES = ["virtio", "virtio_ring", "virtio_mmio", "virtio_blk", "crc16", "crc32c_generic", "mbcache", "jbd2", "ext4",
                      "squashfs", "lz4_decompress", "xxhash", "zstd_decompress", "zstd_common"]
ALL_MODULES = MODULES + DISK_MODULES + KVM_MODULES + IMAGE_MODULES + GUEST_MODULES + DISK_GUEST_MODULES


class Unavailable(Exception):
    """This machine can't have it; says why."""


def run(command, **kwargs):
    """Standard output of a command of apt's; what it says when it fails is the reason."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, **kwargs)
    if done.returncode:
        raise Unavailable(f"{command[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout


def outside():
    """What is put before a command that needs the network: a test bed has none; one process of it stands in the machine's."""
    pid = os.environ.get("BED_NETWORK_PID")
    return ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []


def mirror():
    """Where this machine's apt has Debian from."""
    release = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    codename = re.search(r"^VERSION_CODENAME=(\w+)", release, re.M)
    for line in run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)",
                     "Identifier: Packages"]).splitlines():
        origin, suite, uri = line.split(None, 2)
        if origin == "Debian" and codename and suite == codename[1]:
            return uri
    raise Unavailable("apt knows no mirror of Debian (apt-get update?)")


class Apt:
    """apt with one suite, and lists and archives of its own below a directory."""

    def __init__(self, top, suite):
        for sub in ["etc", "lists/partial", "cache/archives/partial"]:
            (top / sub).mkdir(parents=True)
        (top / "etc/suite.sources").write_text(
            f"Types: deb\nURIs: {mirror()}\nSuites: {suite}\nComponents: main\nArchitectures: amd64\n"
            f"Signed-By: {KEYRING}\n", encoding="utf-8")
        self.options = [word for option in [
            "Dir::Etc::sourcelist=/dev/null", f"Dir::Etc::sourceparts={top}/etc",
            f"Dir::State::lists={top}/lists", f"Dir::Cache={top}/cache", "Acquire::Languages=none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "APT::Sandbox::User=root",
        ] for word in ("-o", option)]

    def __call__(self, program, *args, **kwargs):
        before = outside() if args[0] in ["update", "download"] else []
        return run([*before, program, *self.options, *args], **kwargs)

    def depends(self, package):
        shown = self("apt-cache", "show", "--no-all-versions", package)
        return re.search(r"^Depends: (.*)", shown, re.M)[1]


def packages_of(apt, flavour):
    """The kernel's packages: one up to Debian 13, several later."""
    found, todo = [], [f"linux-image-{flavour}"]
    while todo:
        names = re.findall(rf"\blinux-(?:image|binary|modules)-\d[^ ,]*{flavour}", apt.depends(todo.pop()))
        todo += [n for n in dict.fromkeys(names) if n not in found]
        found += [n for n in dict.fromkeys(names) if n not in found]
    return found


def unpack_bzimage(image):
    """The ELF file in a bzImage (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length)."""
    start = ((image[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[start + offset:start + offset + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(payload)
    # The size of the ELF file follows the compressed data, which lz4 takes for a broken block at its end.
    program = ["zstd", "-dcq"] if payload.startswith(b"\x28\xb5\x2f\xfd") else ["lz4", "-dcq"]
    return subprocess.run(program, input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout


def take_members(deb, out, modules):
    """vmlinux, release and these modules out of one package."""
    raw = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            name = pathlib.PurePosixPath(member.name).name
            module = re.fullmatch(r"([\w-]+)\.ko(\.xz)?", name)
            if name.startswith("vmlinuz") and member.isfile():
                (out / "vmlinuz").write_bytes(tar.extractfile(member).read())
                (out / "vmlinux").write_bytes(unpack_bzimage((out / "vmlinuz").read_bytes()))
            elif module and module[1].replace("-", "_") in modules:
                data = tar.extractfile(member).read()
                data = lzma.decompress(data) if module[2] else data
                (out / (module[1].replace("-", "_") + ".ko")).write_bytes(data)


def cache_directory():
    return pathlib.Path(os.environ.get("DVS_CACHE") or pathlib.Path.home() / ".cache/dvs") / "vm"


def cached(name, wanted, suite, packages, take):
    """The directory of that name with all that is wanted; if need be take(deb, out) makes it of the suite's packages."""
    # What was unpacked for other files lacks some of these.
    made = cache_directory() / f"{name}-{zlib.crc32(' '.join(wanted).encode()):08x}"
    if (made / wanted[0]).exists():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=made.name + ".", dir=made.parent) as top:
        top = pathlib.Path(top)
        apt = Apt(top, suite)
        apt("apt-get", "update", "-qq", "--error-on=any")
        apt("apt-get", "download", "-qq", *packages(apt), cwd=top)
        (top / "out").mkdir()
        for deb in sorted(top.glob("*.deb")):
            take(deb, top / "out")
        if not (top / "out" / wanted[0]).exists():
            raise Unavailable(f"no {wanted[0]} in {', '.join(d.name for d in top.glob('*.deb'))}")
        # Another bed may have been faster.
        shutil.rmtree(made, ignore_errors=True)
        (top / "out").rename(made)
    return made


def get_kernel(suite, flavour=FLAVOUR, modules=None):
    """A directory with vmlinux, vmlinuz and *.ko (ALL_MODULES, or these) of the kernel of this suite of Debian."""
    name = suite if flavour == FLAVOUR else f"{suite}-{flavour}"
    modules = modules or ALL_MODULES
    return cached(name, ["vmlinuz", *modules], suite, lambda apt: packages_of(apt, flavour), lambda deb, out: take_members(deb, out, modules))


def take_qemu(deb, out):
    """The emulator and the firmware that it boots a kernel with, out of one package."""
    raw = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            name = pathlib.PurePosixPath(member.name).name
            if name in QEMU_FILES and member.isfile():
                (out / name).write_bytes(tar.extractfile(member).read())
                (out / name).chmod(0o755)


def get_qemu(suite):
    """A directory with QEMU_FILES of this suite; the libraries are this machine's."""
    return cached(f"qemu-{suite}", QEMU_FILES, suite, lambda apt: QEMU_PACKAGES, take_qemu)
