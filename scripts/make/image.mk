# SPDX-License-Identifier: MIT
# image.mk - the root file system (a cpio archive) and the ISO that GRUB boots it from. Both are
# put together on every `make iso`, and replaced only when their content changed.

ROOT      := $(O)/root
INITRAMFS := $(O)/initramfs.cpio
ISO       := $(O)/weft.iso

$(O)/weft.stripped: $(O)/weft.elf
	$(Q)$(OBJCOPY) --strip-all $< $@

$(INITRAMFS): modules FORCE
	$(Q)OBJCOPY=$(OBJCOPY) scripts/mkroot $(ROOT) $(BUSYBOX) $(RELEASE) \
		"$(BUILTIN_MODULES)" $(LOADABLE:%=$(KO_DIR)/%.ko)
	$(Q)scripts/mkcpio -o $@.new $(ROOT) iso/root $(EXTRA)
	$(Q)cmp -s $@.new $@ && rm $@.new || { mv $@.new $@; $(if $(Q),:,echo $@); }

$(O)/gen/iso: FORCE
	$(call keep,$@,iso: $(CMDLINE) timeout $(TIMEOUT))

$(ISO): $(O)/weft.stripped $(INITRAMFS) $(O)/gen/iso iso/grub.cfg scripts/mkiso
	$(call say,ISO,$@)
	$(Q)scripts/mkiso -o $@ -k $(O)/weft.stripped -r $(INITRAMFS) -t $(TIMEOUT) -a '$(CMDLINE)'

.PHONY: iso initramfs
initramfs: $(INITRAMFS)
iso: $(ISO)
