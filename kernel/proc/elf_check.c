/* SPDX-License-Identifier: MIT */
/* elf_check.c - is this file a program that can be loaded, and how? Every number is the file's and
 * taken for hostile: sums are checked before they are made, nothing is looked at twice. */
#include "elf.h"

#include <uapi/errno.h>

#define EM_X86_64 62
#define PT_LOAD 1
#define PT_INTERP 3
#define PT_GNU_STACK 0x6474e551
#define PAGE 4096ull
#define LOWEST_VADDR 0x10000ull /* a NULL pointer plus an offset must not be mapped */
#define MAX_ALIGN (1ull << 30)
#define MAX_FILE (1ull << 62)
#define MAX_INTERP 4096

int elf_check_header(const struct elf_ehdr *eh, size_t len)
{
	static const u8 ident[7] = { 0x7f, 'E', 'L', 'F', 2 /* 64 bit */, 1 /* LSB */, 1 };
	u32 i;

	if (len < sizeof(*eh))
		return -ENOEXEC;
	for (i = 0; i < sizeof(ident); i++) {
		if (eh->ident[i] != ident[i])
			return -ENOEXEC;
	}
	if (eh->machine != EM_X86_64 || eh->version != 1 ||
	    (eh->type != ET_EXEC && eh->type != ET_DYN))
		return -ENOEXEC;
	if (eh->phentsize != sizeof(struct elf_phdr) || !eh->phnum || eh->phnum > ELF_MAX_PHDRS)
		return -ENOEXEC;
	if (eh->phoff > MAX_FILE)
		return -ENOEXEC;
	return 0;
}

static int add_segment(struct elf_plan *plan, const struct elf_phdr *ph, u64 limit)
{
	struct elf_seg *last = plan->nr_segs ? &plan->seg[plan->nr_segs - 1] : NULL;
	u64 page = ALIGN_DOWN(ph->vaddr, PAGE), end;

	if (!ph->memsz)
		return 0;
	if (plan->nr_segs == ELF_MAX_SEGS || ph->filesz > ph->memsz)
		return -ENOEXEC;
	if (ph->offset > MAX_FILE || ph->filesz > MAX_FILE || ph->memsz > limit ||
	    ph->vaddr > limit - ph->memsz)
		return -ENOEXEC;
	if (ph->vaddr % PAGE != ph->offset % PAGE)
		return -ENOEXEC;
	/* gABI: loadable segments ascend; here also no two of them share a page */
	if (last && page < ALIGN_UP(last->vaddr + last->memsz, PAGE))
		return -ENOEXEC;
	end = ph->vaddr + ph->memsz;
	if (ALIGN_UP(end, PAGE) > limit)
		return -ENOEXEC;
	if (!last)
		plan->low = page;
	plan->high = ALIGN_UP(end, PAGE);
	plan->brk = end;
	if (ph->align > plan->align && ph->align <= MAX_ALIGN && !(ph->align & (ph->align - 1)))
		plan->align = ph->align;
	if (ph->flags & PF_X) {
		if (!plan->code_end)
			plan->code_start = ph->vaddr;
		plan->code_end = ph->vaddr + ph->filesz;
	}
	plan->seg[plan->nr_segs++] = (struct elf_seg){
		.vaddr = ph->vaddr,
		.memsz = ph->memsz,
		.offset = ph->offset,
		.filesz = ph->filesz,
		.flags = ph->flags,
	};
	return 0;
}

/* AT_PHDR: where the program finds its own program headers. */
static u64 find_phdr(const struct elf_plan *plan, const struct elf_ehdr *eh)
{
	u64 size = (u64)eh->phnum * sizeof(struct elf_phdr);
	u32 i;

	for (i = 0; i < plan->nr_segs; i++) {
		const struct elf_seg *s = &plan->seg[i];

		if (eh->phoff >= s->offset && s->filesz >= size &&
		    eh->phoff - s->offset <= s->filesz - size)
			return s->vaddr + (eh->phoff - s->offset);
	}
	return 0;
}

int elf_make_plan(const struct elf_ehdr *eh, const struct elf_phdr *ph, u64 limit,
		  struct elf_plan *plan)
{
	int err;
	u32 i;

	*plan = (struct elf_plan){
		.type = eh->type, .entry = eh->entry, .phnum = eh->phnum, .align = PAGE
	};
	for (i = 0; i < eh->phnum; i++) {
		switch (ph[i].type) {
		case PT_LOAD:
			err = add_segment(plan, &ph[i], limit);
			if (err)
				return err;
			break;
		case PT_INTERP:
			if (plan->interp_size)
				break;
			if (ph[i].filesz < 2 || ph[i].filesz > MAX_INTERP ||
			    ph[i].offset > MAX_FILE)
				return -ENOEXEC;
			plan->interp_offset = ph[i].offset;
			plan->interp_size = ph[i].filesz;
			break;
		case PT_GNU_STACK:
			plan->exec_stack = ph[i].flags & PF_X;
			break;
		}
	}
	if (!plan->nr_segs || eh->entry >= limit)
		return -ENOEXEC;
	if (eh->type == ET_EXEC && plan->low < LOWEST_VADDR)
		return -ENOEXEC;
	plan->phdr = find_phdr(plan, eh);
	return 0;
}
