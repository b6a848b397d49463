# SPDX-License-Identifier: MIT
# kernel.mk - every .c of kernel/ and .c or .asm of arch/ becomes build/weft.elf. The image holds
# the table of its own function names; making it can move functions, so the link is repeated until
# the table describes the image that carries it (two rounds are enough, the third proves it).

KERNEL_C   := $(sort $(wildcard kernel/*.c kernel/*/*.c kernel/*/*/*.c \
		arch/$(ARCH)/*.c arch/$(ARCH)/*/*.c))
KERNEL_ASM := $(sort $(wildcard arch/$(ARCH)/*.asm arch/$(ARCH)/*/*.asm))
KERNEL_LD  := arch/$(ARCH)/kernel.ld
C_OBJS     := $(KERNEL_C:%.c=$(O)/obj/%.o)
ASM_OBJS   := $(KERNEL_ASM:%=$(O)/obj/%.o)
KERNEL_OBJS := $(ASM_OBJS) $(C_OBJS) $(BUILTIN_OBJS)

ifeq ($(filter clean distclean help,$(MAKECMDGOALS)),)
$(call keep,$(O)/gen/objects,$(KERNEL_OBJS))
endif

$(C_OBJS): $(O)/obj/%.o: %.c $(O)/gen/kernel.flags | $(ABI_H)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) $(cflags-$<) -MMD -MP -c $< -o $@

$(ASM_OBJS): $(O)/obj/%.o: % Makefile
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -MD $(@:.o=.d) -MP -MT $@ $< -o $@

# The screen's font comes from GRUB's, which the boot image needs anyway.
FONT := /usr/share/grub/unicode.pf2
$(O)/gen/font_data.h: scripts/gen-font $(FONT)
	$(call say,FONT,$@)
	$(Q)scripts/gen-font $(FONT) > $@
$(O)/obj/kernel/tty/font.o: $(O)/gen/font_data.h

# A loop that is memcpy must not be turned into a call of memcpy; the guard cannot guard itself.
cflags-kernel/lib/string.c := -fno-tree-loop-distribute-patterns

link_kernel = $(LD) -m elf_x86_64 --build-id=none -z noexecstack -z max-page-size=4096 \
	-T $(KERNEL_LD) -o $@ $(KERNEL_OBJS) $(filter %/kallsyms0.o %/kallsyms1.o %/kallsyms2.o,$^)

$(O)/gen/kallsyms0.S: scripts/gen-kallsyms
	$(Q)scripts/gen-kallsyms < /dev/null > $@
$(O)/gen/kallsyms1.S $(O)/gen/kallsyms2.S: $(O)/gen/kallsyms%.S: $(O)/gen/weft%.elf scripts/gen-kallsyms
	$(Q)$(NM) $< | scripts/gen-kallsyms > $@
$(O)/gen/kallsyms%.o: $(O)/gen/kallsyms%.S
	$(Q)$(CC) -c $< -o $@
$(O)/gen/weft1.elf: $(O)/gen/kallsyms0.o
$(O)/gen/weft2.elf: $(O)/gen/kallsyms1.o
$(O)/gen/weft1.elf $(O)/gen/weft2.elf: $(KERNEL_OBJS) $(KERNEL_LD) $(O)/gen/objects
	$(Q)$(link_kernel)
$(O)/weft.elf: $(O)/gen/kallsyms2.o $(KERNEL_OBJS) $(KERNEL_LD) $(O)/gen/objects
	$(call say,LD,$@)
	$(Q)$(link_kernel)
	$(Q)$(NM) $@ | scripts/gen-kallsyms | cmp - $(O)/gen/kallsyms2.S
.SECONDARY: $(foreach n,0 1 2,$(O)/gen/kallsyms$(n).S $(O)/gen/kallsyms$(n).o)

compile_commands.json: $(O)/gen/objects $(O)/gen/kernel.flags $(O)/gen/module.flags $(MODULE_MKS) \
		scripts/gen-compile-commands
	$(Q)scripts/gen-compile-commands "$(CC) $(KERNEL_CFLAGS)" $(KERNEL_C) \
		$(foreach m,$(MODULES),-- "$(CC) $(MODULE_CFLAGS) -DMODULE -DWEFT_MODULE=$(m)" \
		$(patsubst %.o,$(dir_$(m))/%.c,$(objs_$(m)))) > $@

-include $(KERNEL_OBJS:.o=.d)
