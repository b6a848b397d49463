# SPDX-License-Identifier: MIT
# tests.mk - host tests and `make check`. tests/host/test_NAME.c is one program, built with ASan and
# UBSan; the kernel and module sources that it tests stand in its text (symbols of .asm files get the
# prefix asm_):
#     /* sources: kernel/lib/printf.c kernel/lib/string.c */
#     /* cflags: -include tests/host/own_names.h */

HOST_CFLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -fno-strict-aliasing -DWEFT_HOST $(filter-out -Wmissing-prototypes,$(WARNINGS)) \
	-Iinclude -Iarch/$(ARCH)/include -Ikernel/include -I$(O)/gen -Itests/host -I.
HOST_TESTS := $(patsubst tests/host/%.c,%,$(sort $(wildcard tests/host/test_*.c)))
include scripts/make/sim.mk

# $(call named,FILE,KEY): what `/* KEY: ... */` in FILE says.
named = $(shell awk -v key='^/[*] $(2):' '$$0 ~ key { on = 1 } on; /[*]\// { on = 0 }' $(1) | \
	sed 's|^/[*] $(2):||; s|^ [*] ||; s|[*]/||')

define host_test_rules
host_cflags_$(1) := $(call named,tests/host/$(1).c,cflags)
host_src_$(1) := tests/host/$(1).c $(wildcard $(call named,tests/host/$(1).c,sources))
$(O)/host/$(1): $$(host_src_$(1)) $(O)/gen/host.flags | $(ABI_H)
	$$(call say,HOSTCC,tests/host/$(1).c)
	@mkdir -p $$@.d
	$(Q)rm -f $$@.d/*; for src in $$(host_src_$(1)); do \
		obj=$$@.d/$$$${src//\//_}.o; \
		case $$$$src in \
		*.asm) $(NASM) $(NASMFLAGS) --gprefix asm_ $$$$src -o $$$$obj;; \
		*) $(HOSTCC) $$(host_cflags_$(1)) $(HOST_CFLAGS) -MMD -MP -MT $$@ -c $$$$src -o $$$$obj;; \
		esac || exit 1; \
	done
	$(Q)$(HOSTCC) -fsanitize=address,undefined -Wl,-z,noexecstack $$@.d/*.o -o $$@ -lcmocka
-include $$(wildcard $(O)/host/$(1).d/*.d)
endef

ifneq ($(filter host-tests host-build $(O)/host/%,$(MAKECMDGOALS)),)
$(call keep,$(O)/gen/host.flags,$(HOSTCC) $(HOST_CFLAGS))
$(foreach t,$(filter-out $(SIM_TESTS),$(HOST_TESTS)),$(eval $(call host_test_rules,$(t))))
endif

.PHONY: host-build host-tests check format
host-build: $(HOST_TESTS:%=$(O)/host/%) sim-build
host-tests: host-build
	$(Q)scripts/host-tests $(HOST_TESTS:%=$(O)/host/%) $(SIM_PROGRAMS)

C_STYLED := $(wildcard include/*/*.h include/*/*/*.h arch/$(ARCH)/*.[ch] arch/$(ARCH)/*/*.[ch] \
	arch/$(ARCH)/*/*/*.[ch] kernel/*.[ch] kernel/*/*.[ch] kernel/*/*/*.[ch] modules/*/*.[ch] \
	tests/*/*.[ch] tests/*/*/*.[ch])

check: all
	$(Q)KERNEL_FLAGS='$(KERNEL_CFLAGS)' MODULE_FLAGS='$(MODULE_CFLAGS)' HOSTCC=$(HOSTCC) \
		scripts/check $(C_STYLED)
format:
	$(Q)clang-format -i $(C_STYLED)
