# SPDX-License-Identifier: MIT
# Makefile - the kernel, its modules, the boot image and the tests; `make help` says what to ask for.
# One make reads everything: scripts/make/*.mk hold a part each, every modules/NAME/module.mk
# is three lines. Flags, object lists and generated files are compared before they are written,
# so a second make does nothing and a changed option rebuilds exactly what it touches.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
SHELL := /bin/bash

# What may be set on the command line.
ARCH          := x86_64
CROSS_COMPILE := x86_64-linux-gnu-
BUILTIN       :=#	modules to link into the kernel instead of building NAME.ko
M             :=#	a module folder outside the tree
DEBUG         :=#	1: WEFT_DEBUG checks and UBSan
V             :=#	1: show the commands
EXTRA         :=#	a folder laid over the root file system of the ISO
CMDLINE       :=#	appended to the kernel command line of each boot entry
TIMEOUT       := 2#	seconds GRUB waits
BUSYBOX       := /bin/busybox
HOSTCC        := gcc
PYTHON        := python3

RELEASE := 0.1.0-weft
Q       := $(if $(filter 1,$(V)),,@)
say      = @printf '  %-8s %s\n' '$(1)' '$(2)'

# A module outside the tree keeps its objects beside its sources; nothing is written here.
O := $(if $(M),$(abspath $(M))/.weft,build)

CC      := $(CROSS_COMPILE)gcc
LD      := $(CROSS_COMPILE)ld
NM      := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
NASM    := nasm
export CC NM PYTHON

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wno-unused-parameter -Werror
INCLUDES := -Iinclude -Iarch/$(ARCH)/include -I$(O)/gen
BASE_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-strict-aliasing -fno-common \
	    -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fomit-frame-pointer \
	    -fno-pie -fasynchronous-unwind-tables -fcf-protection=none \
	    -ffile-prefix-map=$(CURDIR)=. $(WARNINGS) $(if $(filter 1,$(DEBUG)),-DWEFT_DEBUG)
# Without a runtime of its own UBSan traps, which is a panic with a backtrace as well.
UBSAN := $(if $(filter 1,$(DEBUG)),-fsanitize=undefined \
	    $(if $(wildcard kernel/lib/ubsan.c),,-fsanitize-undefined-trap-on-error))
KERNEL_CFLAGS := $(BASE_CFLAGS) $(INCLUDES) -Ikernel/include \
	    -fstack-protector-strong -mstack-protector-guard=global $(UBSAN)
MODULE_CFLAGS := $(BASE_CFLAGS) $(INCLUDES) -fno-stack-protector
NASMFLAGS := -f elf64 -g -F dwarf -Iarch/$(ARCH)/ -Werror

# $(call keep,FILE,TEXT): FILE holds TEXT, and is touched only when it did not.
keep = $(if $(subst |$(strip $(file <$(1)))|,,|$(strip $(2))|),$(file >$(1),$(strip $(2))))

ifeq ($(filter clean distclean help,$(MAKECMDGOALS)),)
$(shell mkdir -p $(O)/gen)
$(call keep,$(O)/gen/kernel.flags,$(CC) $(KERNEL_CFLAGS))
$(call keep,$(O)/gen/module.flags,$(CC) $(MODULE_CFLAGS))
endif

include scripts/make/modules.mk
ifeq ($(M),)
include scripts/make/kernel.mk
include scripts/make/image.mk
include scripts/make/tests.mk

.PHONY: all kernel modules
all: kernel modules compile_commands.json
kernel: $(O)/weft.elf
modules: $(MODULES_CHECKED)
else
.PHONY: all
all: $(MODULES_CHECKED)
endif

# BENCH, SOAK and STRESS hold further words for their scripts, e.g. BENCH="-n 5 --nic e1000".
.PHONY: bench soak stress
bench: iso
	$(Q)scripts/bench $(BENCH)
soak: iso
	$(Q)scripts/soak $(SOAK)
stress: iso
	$(Q)scripts/stress $(STRESS)

.PHONY: clean help FORCE
FORCE:

clean:
	$(Q)rm -rf $(if $(M),$(O) $(addprefix $(M)/,$(addsuffix .ko,$(MODULES))),build compile_commands.json)

help:
	@printf '%s\n' \
	'make                     kernel build/weft.elf and modules build/modules/NAME.ko' \
	'make iso                 bootable image build/weft.iso (BIOS and UEFI, CD or USB stick)' \
	'      EXTRA=DIR          lay the files of DIR over the root file system' \
	'      CMDLINE="..."      append to the kernel command line of every boot entry' \
	'      TIMEOUT=n          seconds GRUB waits (2; 0 boots at once)' \
	'make M=DIR               build the module folder DIR, outside the tree, to DIR/NAME.ko' \
	'make check               layers, headers, warnings, sizes, Linux numbers' \
	'make host-tests          unit and simulation tests on this machine, with ASan and UBSan' \
	'make sim                 whole stacks in one process by seed (SEEDS=1..200); a failing seed replays' \
	'make bench-host          a TCP segment and a datagram on this machine, beside lwIP' \
	'make bench               boot and network figures beside a Linux guest (root; BENCH="net -n 5")' \
	'make soak                a thousand loads and unloads under a ping flood, ipv6 under a stream (root; SOAK="-n 5000")' \
	'make stress              stress-ng from Debian, a stressor at a time, in a guest (STRESS="--trinity 600": the syscall fuzzer)' \
	'make fuzz                libFuzzer on the simulated stack, FUZZ_SECONDS each (10)' \
	'make format              run clang-format over the tree' \
	'make clean' \
	'' \
	'BUILTIN="ip ethernet"    link these modules into the kernel' \
	'DEBUG=1                  run-time checks and UBSan' \
	'V=1                      show commands' \
	'CROSS_COMPILE=...        tool prefix (x86_64-linux-gnu-)' \
	'' \
	'scripts/run builds and boots it in QEMU; scripts/test runs every test; both take --help.'
