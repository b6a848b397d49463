# SPDX-License-Identifier: MIT
# modules.mk - reads every module.mk (name, objs, deps) and makes, of each folder, either NAME.ko
# or objects for the kernel (BUILTIN). The same rules serve a folder outside the tree (M=DIR),
# whose NAME.ko then lies beside its sources.

empty :=
space := $(empty) $(empty)
comma := ,

MODULES :=
define read_module
name :=
objs :=
deps :=
include $(1)
ifeq ($$(strip $$(name)),)
$$(error $(1): no `name := ...`)
endif
MODULES += $$(name)
dir_$$(strip $$(name)) := $(patsubst %/,%,$(dir $(1)))
objs_$$(strip $$(name)) := $$(objs)
deps_$$(strip $$(name)) := $$(deps)
endef

ifeq ($(M),)
MODULE_MKS := $(sort $(wildcard modules/*/module.mk))
KO_DIR := $(O)/modules
else
MODULE_MKS := $(wildcard $(abspath $(M))/module.mk)
KO_DIR := $(abspath $(M))
$(if $(MODULE_MKS),,$(error no module.mk in $(M)))
endif
$(foreach mk,$(MODULE_MKS),$(eval $(call read_module,$(mk))))

# In dependency order; `visiting` is the way from the root to the module at hand.
in_order :=
define visit
$(if $(filter $(1),$(in_order)),,\
$(if $(filter $(1),$(visiting)),$(error modules depend on each other in a circle: $(visiting) $(1)))\
$(if $(dir_$(1)),,$(error $(lastword $(visiting)) needs $(1), and no modules/*/module.mk has that name))\
$(eval visiting += $(1))$(foreach d,$(deps_$(1)),$(call visit,$(d)))\
$(eval visiting := $(filter-out $(1),$(visiting)))$(eval in_order += $(1)))
endef
ifeq ($(M),)
visiting := BUILTIN
$(foreach m,$(BUILTIN),$(call visit,$(m)))
BUILTIN_MODULES := $(strip $(in_order))
ifneq ($(or $(if $(MAKECMDGOALS),,all),$(filter-out host-build host-tests format clean help,$(MAKECMDGOALS))),)
visiting := modules
$(foreach m,$(MODULES),$(call visit,$(m)))
endif
endif
LOADABLE := $(filter-out $(BUILTIN_MODULES),$(MODULES))

# The ABI hash covers what a module is compiled against: the shared headers without comments.
ABI_HEADERS := $(sort $(wildcard include/weft/*.h include/weft/*/*.h arch/$(ARCH)/include/asm/*.h))
ABI_H := $(O)/gen/abi.h
$(ABI_H): $(ABI_HEADERS) scripts/gen-abi $(O)/gen/module.flags
	$(Q)scripts/gen-abi $(RELEASE) "$(DEBUG)" $(ABI_HEADERS) > $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new && touch $@ || mv $@.new $@

MODULE_OBJS :=
define module_rules
$(1)_o := $(if $(M),$(O),$(O)/modules/$(1))
$(1)_objs := $$(addprefix $$($(1)_o)/,$(objs_$(1)))
MODULE_OBJS += $$($(1)_objs)

$$($(1)_objs): $$($(1)_o)/%.o: $(dir_$(1))/%.c $(O)/gen/module.flags | $(ABI_H)
	$$(call say,CC [M],$$(if $(M),$$(notdir $$<),$$<))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(MODULE_CFLAGS) -DMODULE -DMODULE_NAME='"$(1)"' -DWEFT_MODULE=$(1) \
		-MMD -MP -c $$< -o $$@

$$($(1)_o)/$(1).mod.o: $(dir_$(1))/module.mk $(ABI_H) scripts/gen-modinfo $(O)/gen/builtin
	@mkdir -p $$(@D)
	$(Q)scripts/gen-modinfo $(ABI_H) $(if $(M),N,Y) $(1) \
		$$(filter-out $(BUILTIN_MODULES),$(deps_$(1))) > $$(@:.o=.c)
	$(Q)$$(CC) $$(MODULE_CFLAGS) -fno-toplevel-reorder -c $$(@:.o=.c) -o $$@

# Others' checks read every .ko that is there: each appears whole.
$(KO_DIR)/$(1).ko: $$($(1)_o)/$(1).mod.o $$($(1)_objs) scripts/module.ld
	$$(call say,LD [M],$$(if $(M),$$(notdir $$@),$$@))
	$(Q)$$(LD) -r -m elf_x86_64 --build-id=none -z noexecstack -T scripts/module.ld \
		-o $$($(1)_o)/$(1).ko.new $$(filter %.o,$$^)
	$(Q)mv $$($(1)_o)/$(1).ko.new $$@

$$($(1)_o)/.checked: $(KO_DIR)/$(1).ko $$(wildcard $(dir_$(1))/*.[ch]) scripts/check-layers \
		$$(if $(M),,$(O)/weft.elf $(addprefix $(KO_DIR)/,$(addsuffix .ko,$(filter $(LOADABLE),$(deps_$(1))))))
	$(Q)scripts/check-layers module $$< --dir $(dir_$(1)) --deps "$(deps_$(1))" \
		--kernel $(if $(M),build,$(O))/weft.elf --modules $(if $(M),build,$(O))/modules
	@touch $$@
MODULES_CHECKED += $$($(1)_o)/.checked
endef
MODULES_CHECKED :=
$(foreach m,$(LOADABLE),$(eval $(call module_rules,$(m))))

# The same sources, for the kernel image.
BUILTIN_OBJS :=
define builtin_rules
builtin_$(1) := $(addprefix $(O)/builtin/$(1)/,$(objs_$(1)))
BUILTIN_OBJS += $(O)/builtin/$(1)/$(1).mod.o $$(builtin_$(1))

$(O)/builtin/$(1)/$(1).mod.o: $(dir_$(1))/module.mk $(O)/gen/kernel.flags | $(ABI_H)
	@mkdir -p $$(@D)
	$(Q)printf '#include <core/module.h>\n\nBUILTIN_MODULE($(1), "%s");\n' \
		'$(subst $(space),$(comma),$(strip $(deps_$(1))))' > $$(@:.o=.c)
	$(Q)$$(CC) $$(KERNEL_CFLAGS) -MMD -MP -c $$(@:.o=.c) -o $$@

$$(builtin_$(1)): $(O)/builtin/$(1)/%.o: $(dir_$(1))/%.c $(O)/gen/module.flags | $(ABI_H)
	$$(call say,CC [B],$$<)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(MODULE_CFLAGS) -DWEFT_BUILTIN -DMODULE_NAME='"$(1)"' -DWEFT_MODULE=$(1) \
		-MMD -MP -c $$< -o $$@
endef
$(foreach m,$(BUILTIN_MODULES),$(eval $(call builtin_rules,$(m))))

ifeq ($(filter clean distclean help,$(MAKECMDGOALS)),)
$(call keep,$(O)/gen/builtin,builtin: $(BUILTIN_MODULES))
endif
-include $(patsubst %.o,%.d,$(MODULE_OBJS) $(BUILTIN_OBJS))
