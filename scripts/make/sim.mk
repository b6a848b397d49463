# SPDX-License-Identifier: MIT
# sim.mk - the simulation: the kernel's scheduler, timers, pollers and sockets and the network
# modules, unchanged, with tests/host/sim as the machine below them. It is compiled once; each
# tests/host/test_sim_NAME.c is linked with all of it. tests/fuzz/fuzz_NAME.c likewise, by clang with
# libFuzzer: `make fuzz` runs each for FUZZ_SECONDS.

SIM_MODULES := $(MODULES)
SIM_KERNEL := $(patsubst %,kernel/sched/%.c,core cpu kthread loadavg mutex rcu runqueue spinlock thread \
	wait workqueue) kernel/time/heap.c kernel/time/timer.c \
	kernel/net/pkt.c kernel/net/pkt_data.c kernel/net/poller.c \
	kernel/net/registry.c kernel/net/socket.c kernel/net/sockfile.c kernel/net/sockmsg.c \
	kernel/net/sockopt.c kernel/net/sockqueue.c \
	kernel/module/ledger.c kernel/module/refs.c kernel/module/list.c kernel/module/unload.c \
	kernel/lib/iter.c kernel/lib/parse.c kernel/lib/siphash.c
SIM_SOURCES := $(SIM_KERNEL) $(sort $(wildcard tests/host/sim/machine_*.c tests/host/sim/model_*.c)) \
	tests/host/sim/link.c tests/host/sim/peer.c tests/host/sim/stack.c \
	$(foreach m,$(SIM_MODULES),$(patsubst %.o,modules/$(m)/%.c,$(objs_$(m))))
FUZZ_CC := clang
FUZZ_SECONDS := 10

SIM_BASE := -std=gnu11 -g -fno-omit-frame-pointer -fno-strict-aliasing -fno-pie \
	-DWEFT_HOST -DWEFT_DEBUG $(filter-out -Wmissing-prototypes,$(WARNINGS)) -Itests/host/sim/include \
	-Iinclude -Iarch/$(ARCH)/include -Ikernel/include -I$(O)/gen -Itests/host/sim -I.
SIM_CFLAGS := $(SIM_BASE) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := $(SIM_BASE) -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -Wno-error

# What makes a file a module's: its own THIS_MODULE and entry in one process with all others.
sim_module = $(if $(filter modules/%,$(1)),$(word 2,$(subst /, ,$(1))))
sim_module_flags = $(foreach m,$(call sim_module,$(1)),-DMODULE -DWEFT_MODULE=$(m) \
	-Dweft_this_module=weft_this_$(m) -Dweft_module_entry=weft_entry_$(m))
# A module's code and data apart from others': each load starts from fresh data, and whose a callback
# is can be told from its address.
sim_sections = $(foreach m,$(call sim_module,$(1)),$(OBJCOPY) \
	--rename-section .text=$(m)_text --rename-section .data=$(m)_data --rename-section .bss=$(m)_bss $@)

# $(call sim_object,SOURCE,FOLDER,COMPILER,FLAGS)
define sim_object
$(O)/$(2)/$(1:.c=.o): $(1) scripts/make/sim.mk $(O)/gen/sim.flags | $(ABI_H)
	$$(call say,$(if $(filter fuzz,$(2)),FUZZCC,SIMCC),$(1))
	@mkdir -p $$(@D)
	$(Q)$(3) $(4) $(call sim_module_flags,$(1)) -MMD -MP -c $(1) -o $$@
	$(Q)$$(call sim_sections,$(1))
-include $(O)/$(2)/$(1:.c=.d)
endef
SIM_OBJS := $(SIM_SOURCES:%.c=$(O)/sim/%.o)
FUZZ_OBJS := $(SIM_SOURCES:%.c=$(O)/fuzz/%.o)
SIM_TESTS := $(filter test_sim_%,$(HOST_TESTS))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

define sim_test_rules
$(call sim_object,tests/host/$(1).c,sim,$(HOSTCC),$(SIM_CFLAGS))
$(O)/host/$(1): $(O)/sim/tests/host/$(1).o $(SIM_OBJS)
	$$(call say,SIMLD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(HOSTCC) -no-pie -fsanitize=address,undefined $$^ -o $$@ -lcmocka
endef

define fuzz_rules
$(call sim_object,tests/fuzz/$(1).c,fuzz,$(FUZZ_CC),$(FUZZ_CFLAGS))
$(O)/fuzz/$(1): $(O)/fuzz/tests/fuzz/$(1).o $(FUZZ_OBJS)
	$$(call say,FUZZLD,$$@)
	$(Q)$(FUZZ_CC) -no-pie -fsanitize=fuzzer,address,undefined $$^ -o $$@
endef

ifneq ($(filter host-tests host-build fuzz fuzz-build $(O)/host/% $(O)/fuzz/%,$(MAKECMDGOALS)),)
$(call keep,$(O)/gen/sim_modules.h,$(foreach m,$(SIM_MODULES),X($(m)$(comma) "$(strip $(deps_$(m)))")))
$(call keep,$(O)/gen/sim.flags,$(HOSTCC) $(SIM_CFLAGS) $(FUZZ_CC) $(FUZZ_CFLAGS))
$(foreach s,$(SIM_SOURCES),$(eval $(call sim_object,$(s),sim,$(HOSTCC),$(SIM_CFLAGS))))
$(foreach t,$(SIM_TESTS),$(eval $(call sim_test_rules,$(t))))
endif
ifneq ($(filter fuzz fuzz-build $(O)/fuzz/%,$(MAKECMDGOALS)),)
$(foreach s,$(SIM_SOURCES),$(eval $(call sim_object,$(s),fuzz,$(FUZZ_CC),$(FUZZ_CFLAGS))))
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rules,$(t))))
endif

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_TARGETS:%=$(O)/fuzz/%)
fuzz: fuzz-build
	$(Q)scripts/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS:%=$(O)/fuzz/%)
