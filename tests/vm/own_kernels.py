# SPDX-License-Identifier: MIT
"""own_kernels - guest kernels that Debian does not build: of its source, with little in them.

Theory of operation

The source is that of the library OS (linux-source-6.1, a package). Each kernel's configuration is "nothing but
configs/common.config and configs/NAME.config"; a line that can't be so is an error. It is compiled once and kept in the cache
that Debian's kernels are in, under a hash of all that went into it; two who want the same take turns. No module is built.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import kernels
import machine

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "6.1"
SOURCE = f"linux-source-{VERSION}"
ARCHIVE = pathlib.Path(f"/usr/src/{SOURCE}.tar.xz")
NAMES = {f"{VERSION} {name}": name for name in ("no-modules", "no-types")}
# Much of the archive, of which nothing is compiled here.
UNUSED = ["drivers/gpu/*.[ch]", "drivers/media/*.[ch]", "drivers/staging/*.[ch]", "drivers/net/ethernet/*.[ch]",
          "drivers/net/wireless/*.[ch]", "sound/*.[ch]"]
# Nothing of this machine goes into the result.
SAME = ["ARCH=x86", "KBUILD_BUILD_TIMESTAMP=1970-01-01", "KBUILD_BUILD_USER=dvs", "KBUILD_BUILD_HOST=dvs", "KBUILD_BUILD_VERSION=1"]


def configs(name):
    return [HERE / "configs/common.config", HERE / f"configs/{name}.config"]


def hash_inputs(name):
    """The archive is known by the version of its package, for it has 130 MB."""
    inputs = [kernels.run(command).encode() for command in
              (["dpkg-query", "-W", "-f", "${Version}", SOURCE], ["gcc", "--version"], ["pahole", "--version"])]
    inputs += [path.read_bytes() for path in [*configs(name), pathlib.Path(__file__)]]
    return hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in inputs)).hexdigest()[:16]


def configure(make, objects, name):
    """And see that each line came true."""
    wanted = "".join(path.read_text(encoding="utf-8") for path in configs(name))
    (objects / "wanted").write_text(wanted, encoding="utf-8")
    kernels.run([*make, "allnoconfig"], env={**os.environ, "KCONFIG_ALLCONFIG": str(objects / "wanted")})
    got = (objects / ".config").read_text(encoding="utf-8").splitlines()
    for line in wanted.splitlines():
        off = line.startswith("# CONFIG_") and line.split()[1]
        if (line.startswith("CONFIG_") and line not in got) or (off and any(have.startswith(f"{off}=") for have in got)):
            raise kernels.Unavailable(f"'{line}' cannot be in Linux {VERSION}")


def build(name, work):
    exclude = [f"--exclude={SOURCE}/{pattern}" for pattern in UNUSED]
    kernels.run(["tar", "-C", str(work), "-I", "xz -T0", "--wildcards", *exclude, "-xf", str(ARCHIVE)])
    objects, out = work / "objects", work / "out"
    objects.mkdir()
    out.mkdir()
    make = ["make", "-s", "-C", str(work / SOURCE), f"O={objects}", *SAME]
    configure(make, objects, name)
    print(f"# compiling Linux {VERSION}, {name}", flush=True)
    kernels.run([*make, f"-j{os.cpu_count()}", "vmlinux", "bzImage"])
    subprocess.run(["strip", "--strip-debug", "-o", out / "vmlinux", objects / "vmlinux"], check=True)
    shutil.copy(objects / "arch/x86/boot/bzImage", out / "vmlinuz")
    return out


def get_kernel(name):
    """A directory with vmlinux and vmlinuz of that one of NAMES."""
    machine.need("make", "gcc", "flex", "bison", "bc", "pahole")
    if not ARCHIVE.exists():
        raise kernels.Unavailable(f"{SOURCE} is not installed")
    cache = kernels.cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    made = cache / f"own-{NAMES[name]}-{hash_inputs(NAMES[name])}"
    with open(f"{made}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(prefix=f"{made.name}.", dir=cache) as work:
                build(NAMES[name], pathlib.Path(work)).rename(made)
    return made
