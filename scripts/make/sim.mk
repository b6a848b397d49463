# SPDX-License-Identifier: MIT
# sim.mk - the simulation: the kernel's scheduler, timers, pollers and sockets and the network
# modules, unchanged, with tests/host/sim as the machine below them. It is compiled once. Each
# tests/host/test_sim_NAME.c is linked with one machine; build/sim/stack-N.so is a machine that a
# driver (tests/host/sim/drive_NAME.c -> build/sim/NAME) loads several times. tests/fuzz/fuzz_NAME.c
# are linked with one by clang with libFuzzer: `make fuzz` runs each for FUZZ_SECONDS.

SEEDS := 1..200#	of `make sim`
SIM_MODULES := $(MODULES)
SIM_KERNEL := $(patsubst %,kernel/sched/%.c,balance core cpu kthread loadavg mutex rcu runqueue spinlock thread \
	wait workqueue) kernel/time/heap.c kernel/time/timer.c kernel/time/usertime.c \
	$(filter-out kernel/net/pkt_show.c kernel/net/sockmap.c,$(sort $(wildcard kernel/net/*.c))) \
	kernel/module/ledger.c kernel/module/refs.c kernel/module/list.c kernel/module/unload.c \
	kernel/lib/iter.c kernel/lib/parse.c kernel/lib/siphash.c
# What all machines of a process share, and what each has.
SIM_WORLD := tests/host/sim/world.c tests/host/sim/link.c
SIM_MACHINE := $(SIM_KERNEL) $(sort $(wildcard tests/host/sim/machine_*.c tests/host/sim/model_*.c)) \
	$(patsubst %,tests/host/sim/%.c,nic peer peer6 stack stack6 calls tcp_peer tcp_text) \
	$(foreach m,$(SIM_MODULES),$(patsubst %.o,modules/$(m)/%.c,$(objs_$(m))))
SIM_SOURCES := $(SIM_WORLD) $(SIM_MACHINE)
SIM_GUEST := $(patsubst %,tests/host/sim/%.c,guest app app_udp)
SIM_STACKS := 0 1 2
SIM_DRIVERS := $(patsubst tests/host/sim/drive_%.c,%,$(sort $(wildcard tests/host/sim/drive_*.c)))
FUZZ_CC := clang
FUZZ_SECONDS := 10

SIM_BASE := -std=gnu11 -g -fno-omit-frame-pointer -fno-strict-aliasing \
	-DWEFT_HOST -DWEFT_DEBUG $(filter-out -Wmissing-prototypes,$(WARNINGS)) -Itests/host/sim/include \
	-Iinclude -Iarch/$(ARCH)/include -Ikernel/include -I$(O)/gen -Itests/host/sim -I.
SIM_CFLAGS := $(SIM_BASE) -fPIC -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := $(SIM_BASE) -fno-pie -O1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -Wno-error

# What makes a file a module's: its own THIS_MODULE and entry in one process with all others.
sim_module = $(if $(filter modules/%,$(1)),$(word 2,$(subst /, ,$(1))))
sim_module_flags = $(foreach m,$(call sim_module,$(1)),-DMODULE -DWEFT_MODULE=$(m) \
	-Dweft_this_module=weft_this_$(m) -Dweft_module_entry=weft_entry_$(m))
# A module's code and data apart from others': each load starts from fresh data, and whose a callback
# is can be told from its address.
sim_sections = $(foreach m,$(call sim_module,$(1)),$(OBJCOPY) --rename-section .text=$(m)_text \
	$(patsubst %,--rename-section %=$(m)_data,.data .data.rel .data.rel.local) \
	--rename-section .bss=$(m)_bss $@)

# $(call sim_object,SOURCE,FOLDER,COMPILER,FLAGS)
define sim_object
$(O)/$(2)/$(1:.c=.o): $(1) scripts/make/sim.mk $(O)/gen/sim.flags | $(ABI_H)
	$$(call say,$(if $(filter fuzz,$(2)),FUZZCC,$(if $(filter bench-host,$(2)),BENCHCC,SIMCC)),$(1))
	@mkdir -p $$(@D)
	$(Q)$(3) $(4) $(call sim_module_flags,$(1)) -MMD -MP -c $(1) -o $$@
	$(Q)$$(call sim_sections,$(1))
-include $(O)/$(2)/$(1:.c=.d)
endef
SIM_OBJS := $(SIM_SOURCES:%.c=$(O)/sim/%.o)
FUZZ_OBJS := $(SIM_SOURCES:%.c=$(O)/fuzz/%.o)
SIM_TESTS := $(filter test_sim_%,$(HOST_TESTS))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
SIM_PROGRAMS := $(SIM_DRIVERS:%=$(O)/sim/%)
SIM_LIBRARIES := $(SIM_STACKS:%=$(O)/sim/stack-%.so)

define sim_test_rules
$(call sim_object,tests/host/$(1).c,sim,$(HOSTCC),$(SIM_CFLAGS))
$(O)/host/$(1): $(O)/sim/tests/host/$(1).o $(SIM_OBJS)
	$$(call say,SIMLD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(HOSTCC) -no-pie -fsanitize=address,undefined $$^ -o $$@ -lcmocka
endef

# One copy a machine: the loader gives a file that it knows already no data of its own.
define sim_driver_rules
$(call sim_object,tests/host/sim/drive_$(1).c,sim,$(HOSTCC),$(SIM_CFLAGS))
$(O)/sim/$(1): $(patsubst %,$(O)/sim/tests/host/sim/%.o,drive_$(1) plan host world link) | $(SIM_LIBRARIES)
	$$(call say,SIMLD,$$@)
	$(Q)$(HOSTCC) -rdynamic -fsanitize=address,undefined $$(filter %.o,$$^) -o $$@ -ldl
endef
$(O)/sim/stack-0.so: $(patsubst %.c,$(O)/sim/%.o,$(SIM_MACHINE) $(SIM_GUEST))
	$(call say,SIMLD,$@)
	$(Q)$(HOSTCC) -shared -Wl,-Bsymbolic -fsanitize=address,undefined $^ -o $@
$(O)/sim/stack-%.so: $(O)/sim/stack-0.so
	$(Q)cp $< $@

define fuzz_rules
$(call sim_object,tests/fuzz/$(1).c,fuzz,$(FUZZ_CC),$(FUZZ_CFLAGS))
$(O)/fuzz/$(1): $(O)/fuzz/tests/fuzz/$(1).o $(FUZZ_OBJS)
	$$(call say,FUZZLD,$$@)
	$(Q)$(FUZZ_CC) -no-pie -fsanitize=fuzzer,address,undefined $$^ -o $$@
endef

ifneq ($(filter host-tests host-build sim sim-build fuzz fuzz-build $(O)/host/% $(O)/sim/% $(O)/fuzz/%,\
	$(MAKECMDGOALS)),)
$(call keep,$(O)/gen/sim_modules.h,$(foreach m,$(SIM_MODULES),X($(m)$(comma) "$(strip $(deps_$(m)))")))
$(call keep,$(O)/gen/sim.flags,$(HOSTCC) $(SIM_CFLAGS) $(FUZZ_CC) $(FUZZ_CFLAGS))
$(foreach s,$(SIM_SOURCES) $(SIM_GUEST) $(patsubst %,tests/host/sim/%.c,host plan),\
	$(eval $(call sim_object,$(s),sim,$(HOSTCC),$(SIM_CFLAGS))))
$(foreach t,$(SIM_TESTS),$(eval $(call sim_test_rules,$(t))))
$(foreach d,$(SIM_DRIVERS),$(eval $(call sim_driver_rules,$(d))))
endif
ifneq ($(filter fuzz fuzz-build $(O)/fuzz/%,$(MAKECMDGOALS)),)
$(foreach s,$(SIM_SOURCES),$(eval $(call sim_object,$(s),fuzz,$(FUZZ_CC),$(FUZZ_CFLAGS))))
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rules,$(t))))
endif

# The same sources without sanitizers and checks: what a segment costs. BENCH_HOST: words for its script.
BENCH_CFLAGS := $(filter-out -DWEFT_DEBUG,$(SIM_BASE)) -fPIC -O2 -mno-red-zone -DNDEBUG
BENCH_MACHINE := $(filter-out tests/host/sim/machine_mem.c tests/host/sim/nic.c,$(SIM_MACHINE)) $(SIM_GUEST) \
	$(patsubst %,tests/host/bench/%.c,bench_mem bench_nic bench_app)
BENCH_DRIVER := tests/host/bench/bench.c $(patsubst %,tests/host/sim/%.c,host world link)
$(O)/bench-host/memroutines.o: arch/$(ARCH)/memroutines.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -f elf64 $< -o $@ && $(OBJCOPY) --keep-global-symbol=csum_adc $@
$(O)/bench-host/stack-0.so: $(patsubst %.c,$(O)/bench-host/%.o,$(BENCH_MACHINE)) $(O)/bench-host/memroutines.o
	$(call say,BENCHLD,$@)
	$(Q)$(HOSTCC) -shared -Wl,-Bsymbolic,-z,noexecstack $^ -o $@
$(O)/bench-host/stack-%.so: $(O)/bench-host/stack-0.so
	$(Q)cp $< $@
$(O)/bench-host/weft: $(patsubst %.c,$(O)/bench-host/%.o,$(BENCH_DRIVER)) | $(O)/bench-host/stack-0.so $(O)/bench-host/stack-1.so
	$(call say,BENCHLD,$@)
	$(Q)$(HOSTCC) -rdynamic $^ -o $@ -ldl
ifneq ($(filter bench-host $(O)/bench-host/%,$(MAKECMDGOALS)),)
$(call keep,$(O)/gen/sim_modules.h,$(foreach m,$(SIM_MODULES),X($(m)$(comma) "$(strip $(deps_$(m)))")))
$(call keep,$(O)/gen/sim.flags,$(HOSTCC) $(SIM_CFLAGS) $(FUZZ_CC) $(FUZZ_CFLAGS))
$(foreach s,$(BENCH_MACHINE) $(BENCH_DRIVER),$(eval $(call sim_object,$(s),bench-host,$(HOSTCC),$(BENCH_CFLAGS))))
endif

.PHONY: sim sim-build fuzz fuzz-build bench-host
bench-host: $(O)/bench-host/weft
	$(Q)scripts/bench-host $(O)/bench-host $(BENCH_HOST)
sim-build: $(SIM_PROGRAMS) $(SIM_LIBRARIES)
sim: sim-build
	$(Q)$(O)/sim/matrix $(SEEDS)
fuzz-build: $(FUZZ_TARGETS:%=$(O)/fuzz/%)
fuzz: fuzz-build
	$(Q)scripts/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS:%=$(O)/fuzz/%)
