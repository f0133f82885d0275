# SPDX-License-Identifier: MIT
# On a fresh Debian 12, as root: "make demo" shows it, "make check" tests it. CONTRIBUTING.md explains the rest.
BUILD ?= build
FLAGS ?=
MESON_SETUP = $(if $(wildcard $(BUILD)/build.ninja),,meson setup $(BUILD) $(FLAGS) >/dev/null &&)
NINJA = $(MESON_SETUP) ninja -C $(BUILD)

all: libos
	@scripts/setup build
	@$(NINJA)

# The library OS: Linux as a program. A hash of its source finds an earlier result.
LINUX ?= 6.1
libos: $(if $(filter x86_64,$(shell uname -m)),setup-libos)
	@$(if $<,scripts/libos-build $(LINUX) $(BUILD)/rktio-linux-$(LINUX))

demo: setup-build-check
	@$(NINJA) --quiet
	@scripts/demo $(BUILD)

# T="FILE... | unit | corpus | NAME" chooses tests; F=REGEX chooses cases in a file.
check: setup-build-check-deb libos
	@$(NINJA) --quiet
	@scripts/run-tests --build $(BUILD) $(if $(F),--filter '$(F)') $(T)

install:
	@meson install -C $(BUILD)

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
	@$(MAKE) check BUILD=build-tsan FLAGS='-Db_sanitize=thread -Db_lundef=false' T='$(or $(T),base loop pty ptmx)'

# S=SECONDS for each target.
fuzz: setup-build-lint
	@scripts/fuzz $(or $(S),10)

bench: setup-build-check
	@$(NINJA) --quiet
	@bench/run $(BUILD)

# N=ROUNDS of everything; stops at the first failure.
soak: setup-build-check
	@$(NINJA) --quiet
	@scripts/run-tests --build $(BUILD) --rounds $(or $(N),20) $(T)

clean:
	@rm -rf build build-*

setup-%:
	@scripts/setup $(subst -, ,$*)

.PHONY: all libos demo check install deb fmt lint asan tsan fuzz bench soak clean
