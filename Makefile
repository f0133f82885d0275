# SPDX-License-Identifier: MIT
# On a fresh Debian 12, as root: "make demo" shows it, "make check" tests it. CONTRIBUTING.md explains the rest.
BUILD ?= build
FLAGS ?=
MESON_SETUP = $(if $(wildcard $(BUILD)/build.ninja),,meson setup $(BUILD) $(FLAGS) >/dev/null &&)
NINJA = $(MESON_SETUP) ninja -C $(BUILD)
# A terminal is shown how far it is.
QUIET = $(if $(MAKE_TERMOUT),,--quiet)

# What takes long has jobs of its own; apt-get can only be one.
.NOTPARALLEL:

all: libos
	@scripts/setup build
	@$(NINJA)

# The library OS: Linux as a program, of version 6.1 or 6.12. A hash of its source finds an earlier result.
LINUX ?= 6.1
export RKTIO_LINUX = $(LINUX)
libos: $(if $(filter x86_64,$(shell uname -m)),setup-libos-$(LINUX))
	@$(if $<,scripts/libos $(LINUX) $(BUILD)/rktio-linux-$(LINUX))

demo: demo-before setup-build-check libos
	@$(NINJA) $(QUIET)
	@scripts/demo $(BUILD)

demo-before:
	@scripts/demo --before $(BUILD)

# T="FILE... | unit | corpus | NAME" chooses tests; F=REGEX chooses cases in a file; LINUX=VERSION that of the library OS.
check: setup-build-check-deb libos
	@$(NINJA) $(QUIET)
	@scripts/run-tests --build $(BUILD) $(if $(F),--filter '$(F)') $(T)

# Below /usr/local, or what "make FLAGS=--prefix=DIRECTORY" was told first; DESTDIR=DIRECTORY is put before it.
install: all
	@meson install -C $(BUILD) --no-rebuild

deb: setup-build-libos-deb
	@scripts/deb

fmt: setup-lint
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

lint: setup-build-lint
	@scripts/lint

asan:
	@$(MAKE) check BUILD=build-asan FLAGS='-Db_sanitize=address,undefined -Db_lundef=false'

# For what shares memory between threads; namespaces can't be entered under it, for it has a thread of its own.
tsan:
	@$(MAKE) check BUILD=build-tsan FLAGS='-Db_sanitize=thread -Db_lundef=false' T='$(or $(T),base fuse loop pty ptmx)'

# S=SECONDS for each target.
fuzz: setup-build-lint
	@scripts/fuzz $(or $(S),10)

# ONLY="starts files micro boot redis sysbench sqlite nginx blk fuse vmsh" chooses subjects, N=ROUNDS how often.
bench: setup-build-check-bench libos
	@$(NINJA) $(QUIET)
	@bench/run $(BUILD)
	@bench/rktio $(BUILD)
	@bench/fuse $(BUILD)
	@bench/vmsh $(BUILD)

# N=ROUNDS of everything, and longer loads; stops at the first failure.
soak: setup-build-check
	@$(NINJA) $(QUIET)
	@SOAK=1 scripts/run-tests --build $(BUILD) --rounds $(or $(N),20) $(T)

# LTP=DIR, an installed Linux Test Project: its system call tests in the library OS; docs/conformance.md.
conformance: setup-build-check libos
	@$(NINJA) $(QUIET)
	@tests/conformance/run --build $(BUILD) $(if $(LTP),--ltp $(LTP)) $(T)
	@$(MAKE) --no-print-directory conformance-cntrfs

# PJDFSTEST=DIR XFSTESTS=DIR LTP=DIR, built copies: on a mount of cntrfs. O="--group auto", "-o nopassthrough", ...
conformance-cntrfs: setup-build-check
	@$(NINJA) --quiet cntrfs
	@tests/conformance/cntrfs --build $(BUILD) $(if $(PJDFSTEST),--pjdfstest $(PJDFSTEST)) $(if $(XFSTESTS),--xfstests $(XFSTESTS)) \
		$(if $(LTP),--ltp $(LTP)) $(O) $(T)

# S=SECONDS of load on a mount of cntrfs, as it is and under two sanitizers; FSSTRESS=PROGRAM is the load instead of stress-ng.
stress-cntrfs: stress-cntrfs-build stress-cntrfs-build-asan stress-cntrfs-build-tsan
stress-cntrfs-build-asan: FLAGS = -Db_sanitize=address,undefined -Db_lundef=false
stress-cntrfs-build-tsan: FLAGS = -Db_sanitize=thread -Db_lundef=false
stress-cntrfs-%: setup-build-check
	@[ -e $*/build.ninja ] || meson setup $* $(FLAGS) >/dev/null
	@ninja --quiet -C $* cntrfs
	@scripts/stress-cntrfs --build $* --seconds $(or $(S),600) $(if $(FSSTRESS),--fsstress $(FSSTRESS))

# S=SECONDS of each class of stress-ng in the library OS, T="CLASS...".
stress: setup-build-check libos
	@$(NINJA) $(QUIET)
	@scripts/stress --build $(BUILD) --seconds $(or $(S),600) $(T)

clean:
	@rm -rf build build-*

setup-%:
	@scripts/setup $(subst -, ,$*)

.PHONY: all libos demo demo-before check install deb fmt lint asan tsan fuzz bench soak conformance conformance-cntrfs stress stress-cntrfs clean
